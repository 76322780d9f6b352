"""Recordings with labels, as they are found, into the prepared layout: what every source has in common.

The decoder is the service's own (`model.audio`), so a training sample and a request are heard alike. Audio is read,
resampled and written block by block: memory does not grow with the length of a recording.

What cannot be trusted is left out whole and named: a recording without labels or labels without a recording, several
files of one name, the same audio twice, audio that is empty, silent, damaged, cut short or not finite, a table with a
line that is no note, a note that begins after the audio ends. What is merely of no use to the network is counted and
left out of the labels (`Labels.remarks`).
"""

import hashlib
import stat
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
import soundfile

from model.audio import AudioLimits, AudioReader, AudioSummary
from model.errors import ModelError
from model.note import Note
from training.errors import DataError
from training.jobs import Job
from training.prepared import SAMPLE_RATE, Json, Recording, Split, Waveform, sha256_of, store_recording

AUDIO_SUFFIXES = frozenset(
    {".wav", ".w64", ".aif", ".aiff", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".mp4", ".webm", ".mka"}
)
UNCOMPRESSED = frozenset({".wav", ".w64", ".aif", ".aiff"})
BLOCK_FRAMES = 1 << 12  # 16 MB of the most channels that a file can have
LIMITS = AudioLimits(max_seconds=float("inf"), max_channels=64)
SILENCE = 1 / 32768  # nothing below this is left in 16 bits
SHORTEST_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Source:
    """A recording and its labels where they were found; `id` is the name that it gets."""

    id: str
    audio: Path
    labels: Path


@dataclass(frozen=True, slots=True)
class Labels:
    """The notes of a label file, and how many lines were left out or changed, by reason."""

    notes: list[Note]
    remarks: Counter[str] = field(default_factory=Counter)


def pair_up(groups: Mapping[str, tuple[Sequence[Path], Sequence[Path]]]) -> tuple[list[Source], dict[str, str]]:
    """Tell the recordings that have exactly one audio and one label file, which can be read, from the others.

    Parameters
    ----------
    groups : mapping of str to (sequence of Path, sequence of Path)
        Audio and label files by the id that they share.

    Returns
    -------
    sources : list of Source
    problems : dict of str to str
        Why each of the other ids is left out.
    """
    sources, problems = [], {}
    for name, (audio, labels) in sorted(groups.items()):
        if len(audio) == len(labels) == 1:
            if why := unreadable(audio[0]) or unreadable(labels[0]):
                problems[name] = why
            else:
                sources.append(Source(name, audio[0], labels[0]))
        elif not labels:
            problems[name] = f"{audio[0]}: there are no labels of this name"
        elif not audio:
            problems[name] = f"{labels[0]}: there is no recording of this name"
        else:
            listed = ", ".join(str(path) for path in (*audio, *labels))
            problems[name] = f"several files of one name, and which belong together is not clear: {listed}"
    return sources, problems


def unreadable(path: Path) -> str | None:
    """Why a file cannot be read, if it cannot."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return f"{path}: not a file"
        with path.open("rb"):
            return None
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"


def with_suffix(paths: Iterable[Path], suffixes: Collection[str]) -> list[Path]:
    """The files of some kinds; capital letters in an ending do not matter."""
    return [path for path in paths if path.suffix.lower() in suffixes]


def by_stem(
    audio: Iterable[Path], labels: Iterable[Path], label_suffixes: Collection[str]
) -> dict[str, tuple[list[Path], list[Path]]]:
    """Group audio and label files by their names without ending.

    Files of other kinds, and hidden ones, which some systems leave behind, are passed over.
    """
    groups: dict[str, tuple[list[Path], list[Path]]] = defaultdict(lambda: ([], []))
    for kind, paths in enumerate((with_suffix(audio, AUDIO_SUFFIXES), with_suffix(labels, label_suffixes))):
        for path in sorted(paths):
            if not path.name.startswith("."):
                groups[path.stem][kind].append(path)
    return groups


def without_twins(sources: Sequence[Source]) -> tuple[list[Source], dict[str, str]]:
    """Keep the first of several recordings that are the same audio; only files of one size are read to find out.

    Two copies in different splits would be heard in training and asked for in testing.
    """
    of_size: dict[int, list[Source]] = defaultdict(list)
    for source in sources:
        of_size[source.audio.stat().st_size].append(source)
    problems = {}
    for rivals in of_size.values():
        if len(rivals) > 1:
            first: dict[str, Source] = {}
            for source in rivals:
                twin = first.setdefault(sha256_of_samples(source.audio), source)
                if twin is not source:
                    problems[source.id] = f"{source.audio}: the same audio as {twin.audio}"
    return [source for source in sources if source.id not in problems], problems


def sha256_of_samples(audio: Path) -> str:
    """SHA-256 of uncompressed samples without their header, which may hold when it was written; else of the file."""
    if audio.suffix.lower() in UNCOMPRESSED:
        digest = hashlib.sha256()
        try:
            with soundfile.SoundFile(audio) as file:
                for block in file.blocks(BLOCK_FRAMES, dtype="float32"):
                    digest.update(block.tobytes())
            return digest.hexdigest()
        except soundfile.LibsndfileError:  # no audio, which is told when it is taken in
            pass
    return sha256_of(audio)


def refused_jobs(problems: Mapping[str, str]) -> list[Job]:
    """Jobs that do nothing but say why, so that what is left out is counted and named where everything else is."""
    return [Job(name, partial(refuse, why), {}) for name, why in problems.items()]


def is_refused(job: Job) -> bool:
    """Whether a job is one of `refused_jobs`: they alone depend on nothing."""
    return not job.settings


def refuse(why: str, folder: Path) -> NoReturn:
    """Fail."""
    raise DataError(why)


def intake_jobs(
    sources: Iterable[Source],
    read_labels: Callable[[Path], Labels],
    *,
    origin: str,
    split: Split,
    settings: Mapping[str, Json] | None = None,
    sr: int | None = None,
) -> list[Job]:
    """One job per recording; it is made again when its files or the settings have changed.

    Parameters
    ----------
    sources : iterable of Source
    read_labels : callable
        Picklable; reads one label file.
    origin : str
        Where the recordings come from, in words.
    split : {"train", "validation", "test"}
    settings : mapping, optional
        What the labels depend on besides their file.
    sr : int, optional
        The only rate that the audio may have, in Hz.
    """
    jobs = []
    for source in sources:
        depends: dict[str, Json] = {"split": split, **(settings or {}), **fingerprint(source)}
        make = partial(take_in, source, read_labels, origin, split, depends, sr)
        jobs.append(Job(source.id, make, depends))
    return jobs


def fingerprint(source: Source) -> dict[str, Json]:
    """What tells that a recording or its labels were replaced, without reading all the audio."""
    return {"audio_bytes": source.audio.stat().st_size, "labels_sha256": sha256_of(source.labels)}


def take_in(
    source: Source,
    read_labels: Callable[[Path], Labels],
    origin: str,
    split: Split,
    settings: dict[str, Json],
    sr: int | None,
    folder: Path,
) -> Recording:
    """Bring one recording into a prepared set.

    Raises
    ------
    DataError
        If its audio or labels cannot be trusted; names the file and the reason.
    """
    labels = read_labels(source.labels)
    if not labels.notes:
        raise DataError(f"{source.labels}: holds no note that the network could learn{counted(labels.remarks)}")
    temporary = folder / f".{source.id}.part.wav"
    try:
        summary = convert_audio(source.audio, temporary, sr=sr)
        check_reach(source, labels.notes, summary.duration)
        if summary.sr < SAMPLE_RATE:
            labels.remarks[f"recordings under {SAMPLE_RATE} Hz, without their upper partials"] += 1
        made: dict[str, Json] = {
            "settings": settings,
            "audio": source.audio.name,
            "sr": summary.sr,
            "remarks": dict(labels.remarks),
        }
        return store_recording(folder, source.id, temporary, labels.notes, source=origin, split=split, made=made)
    finally:
        temporary.unlink(missing_ok=True)


def check_reach(source: Source, notes: Iterable[Note], seconds: float) -> None:
    """Refuse labels that reach beyond the audio: it was cut, or they belong to another recording."""
    late = [note.onset for note in notes if note.onset >= seconds]
    if late:
        raise DataError(
            f"{source.audio}: {len(late)} labels begin after its end at {seconds:.1f} s, up to {max(late):.1f} s; "
            "the audio may have been cut short, or the labels are of another recording"
        )


def convert_audio(audio: Path, target: Path, *, sr: int | None = None) -> AudioSummary:
    """Write a recording as mono PCM16 at the prepared rate.

    A lossy decoder may overshoot full scale a little, where PCM16 would clip: then the recording is read again and
    written with its level lowered as a whole.

    Parameters
    ----------
    audio : Path
        Of any kind that `model.audio` reads.
    target : Path
        WAV file.
    sr : int, optional
        The only rate that it may have, in Hz.

    Returns
    -------
    AudioSummary

    Raises
    ------
    DataError
        If the audio cannot be read to its end, is cut short or silent, has samples that are not finite, or another
        rate.
    """
    summary, peak = write_blocks(audio, target, 1.0, sr)
    if peak < SILENCE:
        raise DataError(f"{audio}: holds only silence")
    if peak > 1:
        write_blocks(audio, target, 1 / peak, sr)
    return summary


@contextmanager
def opened(audio: Path) -> Iterator[AudioReader]:
    """Open a recording for decoding at the prepared rate."""
    with audio.open("rb") as file, AudioReader(file, sr=SAMPLE_RATE, limits=LIMITS) as reader:
        yield reader


def read_any_rate(audio: Path) -> Waveform:
    """Read short audio of any kind as mono at the prepared rate, its level lowered as a whole if it exceeds full scale.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        with opened(audio) as reader:
            waveform = np.concatenate(list(reader.blocks()))
    except ModelError as error:
        raise DataError(f"{audio}: {error.message}") from error
    return np.asarray(waveform / max(1.0, float(np.abs(waveform).max())), dtype=np.float32)


def write_blocks(audio: Path, target: Path, gain: float, sr: int | None) -> tuple[AudioSummary, float]:
    """Decode, resample and write block by block; also returns the peak before the gain."""
    peak = 0.0
    try:
        with (
            opened(audio) as reader,
            soundfile.SoundFile(target, "w", SAMPLE_RATE, 1, "PCM_16") as file,
        ):
            if sr is not None and reader.summary.sr != sr:
                raise DataError(
                    f"the sampling rate is {reader.summary.sr} Hz, expected {sr} Hz: its labels count samples"
                )
            for block in reader.blocks():
                peak = max(peak, float(np.abs(block).max(initial=0)))
                file.write(block * np.float32(gain))
    except ModelError as error:
        raise DataError(f"{audio}: {error.message}") from error
    if reader.summary.warnings:
        raise DataError(f"{audio}: {'; '.join(reader.summary.warnings)}")
    return reader.summary, peak


def counted(remarks: Mapping[str, int]) -> str:
    """Remarks as the end of a sentence."""
    return f" ({', '.join(f'{count} {what}' for what, count in sorted(remarks.items()))})" if remarks else ""


def add_up(recordings: Iterable[Recording]) -> Counter[str]:
    """The remarks on all recordings of a set."""
    total: Counter[str] = Counter()
    for recording in recordings:
        remarks = recording.made.get("remarks")
        if isinstance(remarks, dict):
            total.update({what: count for what, count in remarks.items() if isinstance(count, int)})
    return total
