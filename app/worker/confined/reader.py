"""The worker's side: a file in, blocks of sound out, whatever becomes of the process in between."""

import logging
import signal
from collections.abc import Callable, Iterator
from typing import Annotated, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from app.worker.confined.messages import BrokenMessageError, Kind, read_message
from model.audio import AudioLimits, AudioSummary
from model.errors import DecodeFailedError, ModelError, NoAudioStreamError, TooLongError, UnsupportedFormatError

log = logging.getLogger(__name__)

CODES = {kind.code: kind for kind in (UnsupportedFormatError, NoAudioStreamError, DecodeFailedError, TooLongError)}
LONGEST_TEXT = 1000


class DecodingTimedOutError(ModelError):
    """The decoder took too long over the file."""

    code = "timed_out"


class DecoderLostError(ModelError):
    """The decoder ended for a reason that does not lie in the file, as far as anybody can tell."""

    code = "internal"


def _plain(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:LONGEST_TEXT]


Text = Annotated[str, AfterValidator(_plain)]
Document = TypeVar("Document", bound=BaseModel)


class Opened(BaseModel):
    """What the decoder found."""

    container: Text
    codec: Text
    sr: int = Field(ge=1)
    channels: int = Field(ge=1)
    claimed_seconds: float | None = Field(allow_inf_nan=False)


class Done(BaseModel):
    """What it says at the end."""

    duration: float = Field(ge=0, allow_inf_nan=False)
    warnings: list[Text] = Field(max_length=20)


class Failed(BaseModel):
    """Why there is no (more) sound."""

    code: str
    message: Text


class ConfinedReader:
    """Sound from a decoder in another process: an `AudioSource`.

    The decoder counts and checks as `AudioReader` does. What it says is checked again here, as it may be in the hands
    of the file's author.

    Parameters
    ----------
    pipe : int
        Where its messages come from.
    end : callable
        Ends the decoder, if it has not ended yet; gives its exit status, None if nobody knows it.
    sr : int
        Rate of the blocks in Hz.
    limits : AudioLimits
    seconds : float
        Longest wait for a message.

    Raises
    ------
    ModelError
        If the file cannot be opened as audio within the limits.
    """

    def __init__(
        self, pipe: int, end: Callable[[], int | None], *, sr: int, limits: AudioLimits, seconds: float
    ) -> None:
        self._pipe = pipe
        self._end = end
        self.seconds = seconds
        self._most_samples = (limits.max_seconds + 1) * sr
        found = _parse(Opened, self._expect(Kind.OPENED))
        self.summary = AudioSummary(found.container, found.codec, found.sr, found.channels)
        self.claimed_seconds = found.claimed_seconds

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Sound as it comes; then the summary is complete.

        Yields
        ------
        ndarray, shape (samples,), float32

        Raises
        ------
        ModelError
            If it cannot be decoded within the limits.
        """
        n_samples = 0
        kind, content = self._next()
        while kind is Kind.BLOCK:
            block = self._samples(content)
            n_samples += len(block)
            if n_samples > self._most_samples:
                raise TooLongError("the recording is longer than the longest that is accepted")
            yield block
            kind, content = self._next()
        done = _parse(Done, content if kind is Kind.DONE else b"")
        self.summary.duration = done.duration
        self.summary.warnings += done.warnings

    def _expect(self, kind: Kind) -> bytes:
        found, content = self._next()
        return content if found is kind else b""

    def _next(self) -> tuple[Kind, bytes]:
        try:
            kind, content = read_message(self._pipe, seconds=self.seconds)
        except TimeoutError:
            raise DecodingTimedOutError("The file took too long to decode.") from None
        except EOFError:
            raise _cause_of_death(self._end()) from None
        except BrokenMessageError as error:
            raise _nonsense() from error
        if kind is Kind.FAILED:
            failure = _parse(Failed, content)
            if failure.code not in CODES:
                log.error("a decoder failed: %s", failure.message)
                raise DecoderLostError("Something went wrong on our side.")
            raise CODES[failure.code](failure.message)
        return kind, content

    @staticmethod
    def _samples(content: bytes) -> NDArray[np.float32]:
        if len(content) % 4:
            raise _nonsense()
        block = np.frombuffer(content, dtype="<f4").astype(np.float32, copy=False)
        if not np.isfinite(block).all():
            raise _nonsense()
        return block


def _parse(kind: type[Document], content: bytes) -> Document:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise _nonsense() from error


def _nonsense() -> DecodeFailedError:
    return DecodeFailedError("the decoder went astray over this file: its content is damaged")


def _cause_of_death(status: int | None) -> ModelError:
    if status == -signal.SIGXCPU:
        return DecodingTimedOutError("The file took too long to decode.")
    if status is None or status >= 0 or -status in (signal.SIGKILL, signal.SIGTERM):
        return DecoderLostError("The decoder was ended over this recording; send it again.")
    return DecodeFailedError("the decoder crashed over this file: its content is damaged")
