/** The recording itself, played by the browser as it comes: an hour of it is never in memory as samples. */

const START_PATIENCE_MS = 5000;
/** Slowed down, Chromium's player sounds ahead of the place it tells: at half speed by 20 ms of the recording. */
const STRETCH_LEAD = 0.04;

export class Original {
  /** @param {string} address */
  constructor(address) {
    this.element = new Audio();
    this.element.preload = "auto";
    this.element.preservesPitch = true;
    this.element.src = address;
    this.playable = true;
    this.element.addEventListener("error", () => {
      this.playable = false;
    });
  }

  /** Seconds of the recording that are heard. */
  get position() {
    return this.element.currentTime + STRETCH_LEAD * Math.max(0, 1 - this.element.playbackRate);
  }

  /** Whether it is to sound now: neither stopped nor over. */
  get runs() {
    return this.playable && !this.element.paused && !this.element.ended;
  }

  /** Whether it waits for bytes although it is to sound. */
  get stalls() {
    return this.runs && this.element.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
  }

  /**
   * Play from a place; done when it plays.
   *
   * @param {number} from seconds
   * @param {number} rate
   * @returns {Promise<boolean>} whether it plays
   */
  async start(from, rate) {
    const { element } = this;
    if (!this.playable || from >= element.duration) return false;
    element.playbackRate = rate;
    try {
      if (Math.abs(element.currentTime - from) > 1e-3) await this._seek(from);
      await element.play();
      return true;
    } catch (error) {
      // Paused again before it began, or its bytes did not come in time. Anything else: this browser cannot play it.
      if (!["AbortError", "TimeoutError"].includes(error.name)) this.playable = false;
      return false;
    }
  }

  stop() {
    this.element.pause();
  }

  /** Let go of the file. */
  close() {
    this.element.pause();
    this.element.removeAttribute("src");
    this.element.load();
  }

  _seek(to) {
    const { element } = this;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new DOMException("the recording cannot be reached", "TimeoutError")), START_PATIENCE_MS);
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      element.addEventListener("seeked", done, { once: true });
      element.currentTime = to;
    });
  }
}
