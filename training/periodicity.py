"""Whether a recorded note sounds at the pitch that its index says."""

import numpy as np

from training.prepared import SAMPLE_RATE, Waveform

LISTEN_SECONDS = 0.5
PERIODIC = 0.5  # autocorrelation, of 1, at which a note counts as repeating itself at a period
OCTAVE_BELOW = (
    0.6  # a note repeats itself at twice its period as well as at once; under this ratio the longer one is its own
)
CLEAR = 0.8  # between the two ratios it cannot be told
PERIODS = 8  # a window of 3.5 % around the eighth still reaches neither the seventh nor the ninth
MISTUNED = 0.035  # relative width of the search around a period: a little over half a semitone


def autocorrelation(audio: Waveform) -> np.ndarray:
    """Normalised autocorrelation of up to half a second of audio, freed of the window's own."""
    audio = audio[: round(LISTEN_SECONDS * SAMPLE_RATE)]
    window = np.hanning(len(audio))
    size = 2 ** int(np.ceil(np.log2(2 * len(audio))))

    def correlate(signal: np.ndarray) -> np.ndarray:
        return np.asarray(np.fft.irfft(np.abs(np.fft.rfft(signal, size)) ** 2)[: len(audio) // 2])

    of_window = correlate(window)
    correlation = correlate(audio * window) / of_window
    return np.asarray(correlation / max(correlation[0], 1e-12))


def repeats_at(correlation: np.ndarray, pitch: int) -> float:
    """How well a note repeats itself at a pitch's period, -1 to 1; 0 if the period does not fit into the audio."""
    period = SAMPLE_RATE / (440 * 2 ** ((pitch - 69) / 12))
    first, last = int(period * (1 - MISTUNED)), int(np.ceil(period * (1 + MISTUNED)))
    return float(correlation[first : last + 1].max()) if last < len(correlation) else 0.0


def heard_cents(correlation: np.ndarray, pitch: int) -> float:
    """How far a note that repeats itself at a pitch's period is out of tune, in cents, up to 60 either way.

    Read from the peak some periods away, where a small error of the period has grown.
    """
    period = SAMPLE_RATE / (440 * 2 ** ((pitch - 69) / 12))
    away = max(1, min(PERIODS, int((len(correlation) - 2) / (period * (1 + MISTUNED)))))
    first, last = int(away * period * (1 - MISTUNED)), int(np.ceil(away * period * (1 + MISTUNED)))
    if last + 1 >= len(correlation):
        return 0.0
    peak = first + int(np.argmax(correlation[first : last + 1]))
    before, at, after = correlation[peak - 1 : peak + 2]
    bend = 2 * at - before - after
    # The vertex of the parabola through the peak and its neighbours.
    lag = peak + (float(np.clip((after - before) / (2 * bend), -0.5, 0.5)) if bend > 0 else 0.0)
    return float(1200 * np.log2(away * period / lag))


def heard_pitch(audio: Waveform, pitch: int) -> float | None:
    """Check a pitch against the sound.

    Some collections name brass and clarinets an octave above what sounds, and some notes are up to half a semitone out
    of tune.

    Parameters
    ----------
    audio : np.ndarray [shape=(n,), dtype=float32]
        A note, from a little after its attack.
    pitch : int
        MIDI number that the index gives.

    Returns
    -------
    float or None
        MIDI pitch with its fraction: near the one given, or near the octave below if the sound repeats itself there
        alone; None if that cannot be told.
    """
    if len(audio) < round(0.05 * SAMPLE_RATE):
        return float(pitch)  # too short to say otherwise
    correlation = autocorrelation(audio)
    here, below = repeats_at(correlation, pitch), repeats_at(correlation, pitch - 12)
    if below >= PERIODIC and here < OCTAVE_BELOW * below:
        pitch -= 12
    elif here < max(PERIODIC / 2, CLEAR * below):
        return None
    return pitch + heard_cents(correlation, pitch) / 100
