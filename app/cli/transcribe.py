"""`amt transcribe`: recordings to notes in this process, without a server."""

import errno
import logging
import os
import tempfile
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from app.catalogue import CatalogueError, ModelEntry, file_of, load_catalogue
from app.file_names import clean_name, stem
from app.options import HearingRequest, Options
from app.settings import Settings
from app.validation import fault_in_words
from app.worker.confined.decoder import AudioDecoder, build_audio_decoder
from model.audio import AudioLimits
from model.errors import ModelError
from model.note_events import DecodingOptions
from model.results import ResultSummary, write_results
from model.transcriber import Transcriber
from model.tuning import A4_HZ

log = logging.getLogger(__name__)

# What a person gets of a result, by the ending that it has beside the recording's name.
KEPT = {"notes.mid": ".mid", "piano-roll.json": ".json", "notes.csv": ".csv"}
LONGEST_STEM = 255 - max(map(len, KEPT.values()))  # bytes; what file systems take of a name


class UsageError(Exception):
    """The command was called with something that cannot work for any file."""


def transcribe_files(
    settings: Settings,
    files: list[Path],
    output: Path,
    *,
    model: str | None,
    options: dict[str, float | str | None],
    overwrite: bool,
) -> int:
    """Transcribe each file; gives the number of those that failed.

    Raises
    ------
    UsageError
        If there is no such model, an option lies outside its range, two results would have the same name, or one that
        of a file that is there.
    """
    entry = _choose_model(settings, model)
    resolved = _resolve(entry, options)
    _require_different_names(files)
    if not overwrite:
        _require_free_names(files, output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{output} cannot be made a folder: {error.strerror}") from error
    console = Console(stderr=True)
    audio = build_audio_decoder(settings)
    try:
        transcriber = Transcriber.load(
            file_of(settings.checkpoint, entry), sha256=entry.sha256, device=settings.device, threads=settings.threads
        )
    except (ModelError, ValueError) as error:
        raise UsageError(str(error)) from error
    with _bar(console) as bar, audio:
        run = _Run(settings, transcriber, audio, resolved, output, console, bar)
        return sum(not run.try_one(path) for path in files)


class _Run:
    """What is the same for all files."""

    def __init__(
        self,
        settings: Settings,
        transcriber: Transcriber,
        audio: AudioDecoder,
        options: Options,
        output: Path,
        console: Console,
        bar: Progress,
    ) -> None:
        self._transcriber = transcriber
        self._audio = audio
        self._options = options
        self._output = output
        self._console = console
        self._bar = bar
        self._limits = AudioLimits(
            max_seconds=settings.max_seconds, max_channels=settings.max_channels, max_sr=settings.max_sr
        )

    def try_one(self, path: Path) -> bool:
        """Transcribe a file; a failure is said and does not stop the others."""
        task = self._bar.add_task(path.name, total=None)
        try:
            summary, remarks = self._transcribe(path, task)
        except ModelError as error:
            self._say(f"{path}: {error.message}")
        except OSError as error:
            self._say(f"{path}: {error.strerror or error}")
        except Exception:
            log.exception("%s failed", path)
        else:
            self._bar.update(task, total=1, completed=1)
            self._say("; ".join([f"{path}: {summary.n_notes} notes", *remarks]))
            return True
        self._bar.update(task, visible=False)
        return False

    def _transcribe(self, path: Path, task: TaskID) -> tuple[ResultSummary, list[str]]:
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "this is not a file; save what comes out of it to one first")
        if len(os.fsencode(path.stem)) > LONGEST_STEM:
            raise OSError(errno.ENAMETOOLONG, "the name is too long for results beside it")
        # Beside the results, so that the finished files can be renamed into their places.
        with tempfile.TemporaryDirectory(dir=self._output, prefix=".unfinished-") as name:
            folder = Path(name)
            activations = folder / "activations"
            with self._audio.open(path, sr=self._transcriber.sr, limits=self._limits) as audio:
                heard = self._transcriber.write_activations(
                    audio,
                    activations,
                    on_progress=lambda at: self._bar.update(task, completed=at.seconds_done, total=at.seconds_total),
                    **self._options.for_hearing(),
                )
            title = stem(clean_name(path.name))
            decoding = DecodingOptions(**self._options.for_decoding())
            summary = write_results(activations, folder, options=decoding, tempo=self._options.tempo, title=title)
            for kept, ending in KEPT.items():
                (folder / kept).replace(self._output / (path.stem + ending))
        tuning = [] if heard.a4_hz == A4_HZ else [f"A4 = {heard.a4_hz:g} Hz"]
        return summary, [*tuning, *heard.warnings, *summary.warnings]

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def _choose_model(settings: Settings, name: str | None) -> ModelEntry:
    try:
        catalogue = load_catalogue(settings.checkpoint)
    except CatalogueError as error:
        raise UsageError(str(error)) from error
    entry = catalogue.get(name)
    if entry is None:
        raise UsageError(f"there is no model {name!r}; there are {catalogue.names()}")
    return entry


def _resolve(entry: ModelEntry, options: dict[str, float | str | None]) -> Options:
    try:
        return HearingRequest.model_validate(options).resolve(entry.decoding)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc'])) or 'options'}: {fault_in_words(one)}" for one in error.errors()]
        raise UsageError("; ".join(wrong)) from error


def _require_different_names(files: list[Path]) -> None:
    seen: dict[str, Path] = {}
    for path in files:
        if path.stem in seen:
            raise UsageError(
                f"{seen[path.stem]} and {path} would both be written to {path.stem}.mid; call amt once for each"
            )
        seen[path.stem] = path


def _require_free_names(files: list[Path], output: Path) -> None:
    """Beside a recording may lie notes that somebody has made."""
    for path in files:
        for ending in KEPT.values():
            target = output / (path.stem + ending)
            if os.path.lexists(target):
                raise UsageError(f"{target} is there already; name another folder by -o, or --overwrite it")


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)
