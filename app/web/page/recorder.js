/** Recording from the microphone. */

const TYPES = [
  ["audio/webm;codecs=opus", "webm"],
  ["audio/mp4", "m4a"],
  ["audio/ogg;codecs=opus", "ogg"],
];

/** Whether this browser can record here; microphones need HTTPS or this very machine. */
export function canRecord() {
  return Boolean(navigator.mediaDevices?.getUserMedia && globalThis.MediaRecorder && format());
}

/**
 * Start recording.
 *
 * @returns {Promise<{ended: Promise<void>, finish: () => Promise<File>}>} `ended` comes true when it stops, by itself too, as when the
 *   microphone is unplugged; `finish` stops it and gives what was recorded
 * @throws {Error} with words for the person, if there is no microphone or no permission
 */
export async function startRecording() {
  const stream = await openMicrophone();
  const [type, ending] = format();
  const recorder = new MediaRecorder(stream, { mimeType: type, audioBitsPerSecond: 192_000 });
  const pieces = [];
  recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
  const ended = new Promise((resolve) => recorder.addEventListener("stop", () => resolve(), { once: true }));
  // In pieces, so that nothing long is lost at once.
  recorder.start(1000);
  return { ended, finish };

  async function finish() {
    if (recorder.state !== "inactive") recorder.stop();
    await ended;
    for (const track of stream.getTracks()) track.stop();
    return new File(pieces, `Recording ${stamp()}.${ending}`, { type });
  }
}

async function openMicrophone() {
  // What makes speech clear spoils music.
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    const refused = error.name === "NotAllowedError";
    throw new Error(refused ? "The microphone is not allowed here. Allow it in the browser's settings for this page, then try again." : "No microphone was found. Connect one, then try again.");
  }
}

function format() {
  return TYPES.find(([type]) => MediaRecorder.isTypeSupported(type));
}

function stamp() {
  const now = new Date();
  const two = (number) => String(number).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())} ${two(now.getHours())}.${two(now.getMinutes())}.${two(now.getSeconds())}`;
}
