"""Make every crop sound as if recorded elsewhere: other rooms, microphones, levels, codecs, noise and tuning.

What is linear (room and equaliser) is one multiplication of spectra, with responses that begin at time 0, so labels
keep their times. Only `pitch_shift` moves time, and says by what factor.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import numpy.typing as npt
import scipy.fft
import soxr
from pydantic import Field

from training.prepared import SAMPLE_RATE, Waveform
from training.room import rooms
from training.typed import DecibelRange, Decibels, FrequencyRange, LevelRange, Seed, Share

Rng = np.random.Generator
Spectrum = npt.NDArray[np.complex64]
N_ROOMS = 64
NOISE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """How often and how much. Probabilities are 0 to 1; ranges are uniform.

    Parameters
    ----------
    room, equaliser, low_pass, high_pass, noise, compress, clip, quantise : float
        Probability of each change.
    level_db : tuple of float
        Peak of the result, in dB of full scale.
    snr_db : tuple of float
        Signal to noise ratio.
    equaliser_db : float
        Largest rise or fall of the equaliser at its knots, an octave apart.
    low_pass_hz : tuple of float
        Where the highs begin to go, as in telephones and codecs of low rate; drawn evenly in octaves.
    high_pass_hz : tuple of float
        Where the lows begin to go, as with small microphones and in rooms that carry no fundamental; likewise.
    rooms_seed : int
        Of the stock of rooms.
    """

    room: Share = 0.4
    equaliser: Share = 0.5
    low_pass: Share = 0.15
    high_pass: Share = 0.15
    noise: Share = 0.5
    compress: Share = 0.15
    clip: Share = 0.04
    quantise: Share = 0.05
    level_db: LevelRange = (-40.0, 0.0)
    snr_db: DecibelRange = (12.0, 60.0)
    equaliser_db: Annotated[Decibels, Field(ge=0)] = 8.0
    low_pass_hz: FrequencyRange = (2500.0, 7500.0)
    high_pass_hz: FrequencyRange = (40.0, 250.0)
    rooms_seed: Seed = 1


def pitch_shift(waveform: Waveform, *, semitones: float) -> tuple[Waveform, float]:
    """Play a recording faster and higher, or slower and lower, as a tape does.

    Parameters
    ----------
    waveform : np.ndarray [shape=(n,), dtype=float32]
        Audio at the prepared rate.
    semitones : float
        How much higher; negative is lower.

    Returns
    -------
    np.ndarray [shape=(about n * factor,), dtype=float32]
        The shifted audio.
    float
        What label times are to be multiplied with: ``2 ** (-semitones / 12)``.
    """
    factor = float(2 ** (-semitones / 12))
    shifted = soxr.resample(waveform, SAMPLE_RATE / factor, SAMPLE_RATE)
    return np.asarray(shifted, dtype=np.float32), factor


def augment(waveform: Waveform, rng: Rng, config: AugmentConfig | None = None) -> Waveform:
    """Change how a crop sounds and leave when it sounds.

    Parameters
    ----------
    waveform : np.ndarray [shape=(n,), dtype=float32]
        Audio at the prepared rate.
    rng : np.random.Generator
    config : AugmentConfig, optional

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        Of the same length, within -1..1.
    """
    config = config or AugmentConfig()
    changed = filtered(waveform, rng, config)
    if rng.random() < config.compress:
        changed = compressed(changed, strength=float(rng.uniform(0.1, 0.6)))
    if rng.random() < config.noise:
        changed = noisy(changed, rng, snr_db=float(rng.uniform(*config.snr_db)))
    if rng.random() < config.clip:
        changed = clipped(changed, excess_db=float(rng.uniform(1, 8)))
    changed = at_peak(changed, float(rng.uniform(*config.level_db)))
    return quantised(changed) if rng.random() < config.quantise else changed


def filtered(waveform: Waveform, rng: Rng, config: AugmentConfig) -> Waveform:
    """Pass a crop through a room, an equaliser, a low-pass and a high-pass, whichever are drawn, in one go."""
    chances = (config.room, config.equaliser, config.low_pass, config.high_pass)
    in_a_room, equalised, dulled, thinned = rng.random(4) < chances
    if not (in_a_room or equalised or dulled or thinned):
        return waveform
    # Room for the tail, else it would come back at the beginning of the crop.
    size = int(scipy.fft.next_fast_len(len(waveform) + 2 * SAMPLE_RATE, real=True))
    spectrum = scipy.fft.rfft(waveform, size)
    if in_a_room:
        stock = room_spectra(config.rooms_seed, size)
        spectrum *= stock[int(rng.integers(len(stock)))]
    if equalised:
        spectrum *= equaliser(len(spectrum), rng, config.equaliser_db)
    if dulled:
        spectrum *= low_pass(len(spectrum), log_uniform(config.low_pass_hz, rng), order=int(rng.integers(1, 5)))
    if thinned:
        spectrum *= high_pass(len(spectrum), log_uniform(config.high_pass_hz, rng), order=int(rng.integers(1, 4)))
    return np.asarray(scipy.fft.irfft(spectrum, size)[: len(waveform)], dtype=np.float32)


@lru_cache(maxsize=4)
def room_spectra(seed: int, size: int) -> tuple[Spectrum, ...]:
    """The stock of rooms, transformed once for crops of one length."""
    return tuple(scipy.fft.rfft(impulse, size).astype(np.complex64) for impulse in rooms(seed, N_ROOMS))


@lru_cache(maxsize=4)
def octaves(n_bins: int) -> npt.NDArray[np.float32]:
    """Octaves above 40 Hz of each bin of a real spectrum, 0 below."""
    frequencies = np.linspace(0, SAMPLE_RATE / 2, n_bins)
    return np.log2(np.maximum(frequencies, 40) / 40).astype(np.float32)


def equaliser(n_bins: int, rng: Rng, largest_db: float) -> npt.NDArray[np.float32]:
    """Smooth random gains over the bins of a real spectrum: knots an octave apart, straight in dB between them."""
    above = octaves(n_bins)
    knots_db = rng.uniform(-largest_db, largest_db, int(above[-1]) + 2)
    gains_db = np.interp(above, np.arange(len(knots_db)), knots_db)
    return np.asarray(10 ** (gains_db / 20), dtype=np.float32)


def log_uniform(limits: tuple[float, float], rng: Rng) -> float:
    """Draw a frequency evenly in octaves."""
    return float(np.exp(rng.uniform(*np.log(limits))))


def low_pass(n_bins: int, cutoff: float, *, order: int) -> npt.NDArray[np.float32]:
    """Gains of a Butterworth low-pass without its delay; `cutoff` in Hz."""
    frequencies = np.linspace(0, SAMPLE_RATE / 2, n_bins, dtype=np.float32)
    return np.asarray(1 / np.sqrt(1 + (frequencies / cutoff) ** (2 * order)), dtype=np.float32)


def high_pass(n_bins: int, cutoff: float, *, order: int) -> npt.NDArray[np.float32]:
    """Gains of a Butterworth high-pass without its delay; `cutoff` in Hz."""
    frequencies = np.linspace(0, SAMPLE_RATE / 2, n_bins, dtype=np.float32)
    return np.asarray(1 / np.sqrt(1 + (cutoff / np.maximum(frequencies, 1)) ** (2 * order)), dtype=np.float32)


def compressed(waveform: Waveform, *, strength: float) -> Waveform:
    """Bring loud and soft nearer together, as recorders with automatic level do; 1 would leave no difference."""
    hop = SAMPLE_RATE // 50
    padded = np.pad(waveform, (0, -len(waveform) % hop)).reshape(-1, hop)
    level = np.sqrt((padded**2).mean(axis=1)) + 1e-4
    width = min(9, len(level))  # 180 ms
    smooth = np.maximum(level, np.convolve(level, np.ones(width) / width, mode="same"))
    gain = np.interp(np.arange(len(waveform)), np.arange(len(smooth)) * hop + hop / 2, smooth**-strength)
    return np.asarray(waveform * gain, dtype=np.float32)


@lru_cache(maxsize=2)
def noises(seed: int) -> tuple[Waveform, ...]:
    """A minute each of white, pink and brown noise, of unit power."""
    rng = np.random.default_rng(seed)
    n_samples = NOISE_SECONDS * SAMPLE_RATE
    frequencies = np.maximum(scipy.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE), 30)
    colours = []
    for steepness in (0.0, 0.5, 1.0):
        spectrum = scipy.fft.rfft(rng.standard_normal(n_samples)) * frequencies**-steepness
        noise = scipy.fft.irfft(spectrum, n_samples)
        colours.append((noise / noise.std()).astype(np.float32))
    return tuple(colours)


def noisy(waveform: Waveform, rng: Rng, *, snr_db: float) -> Waveform:
    """Add noise of a random colour."""
    colour = noises(0)[int(rng.integers(3))]
    # A crop longer than the stock gets it more than once.
    start = int(rng.integers(len(colour)))
    noise = np.take(colour, np.arange(start, start + len(waveform)), mode="wrap")
    power = float(np.sqrt(np.mean(waveform**2)))
    return np.asarray(waveform + noise * np.float32(power * 10 ** (-snr_db / 20)), dtype=np.float32)


def clipped(waveform: Waveform, *, excess_db: float) -> Waveform:
    """Overdrive: the highest peaks exceed full scale by so many dB and are cut, softly."""
    peak = float(np.abs(waveform).max(initial=0.0)) + 1e-9
    drive = 10 ** (excess_db / 20)
    return np.asarray(np.tanh(waveform * (drive / peak)), dtype=np.float32)


def quantised(waveform: Waveform) -> Waveform:
    """Telephone quality: 8-bit mu-law (ITU-T G.711) there and back."""
    mu = np.float32(255)
    packed = np.sign(waveform) * np.log1p(mu * np.abs(waveform)) / np.log1p(mu)
    steps = np.round(packed * 127) / np.float32(127)
    return np.asarray(np.sign(steps) * np.expm1(np.abs(steps) * np.log1p(mu)) / mu, dtype=np.float32)


def at_peak(waveform: Waveform, level_db: float) -> Waveform:
    """Scale to a peak level; silence stays silent."""
    peak = float(np.abs(waveform).max(initial=0.0))
    gain = 10 ** (level_db / 20) / peak if peak > 1e-7 else 1.0
    return np.asarray(waveform * np.float32(gain), dtype=np.float32)
