"""What can go wrong between bytes and notes.

Every error carries a stable ``code`` for programs and a sentence for people. None knows HTTP: the service maps them.
"""


class ModelError(Exception):
    """Base of all errors raised on purpose in `model`.

    Parameters
    ----------
    message : str
        One sentence that says what was wrong, what was found and what is allowed. Shown to the person who uploaded.
    """

    code = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UnsupportedFormatError(ModelError):
    """The bytes are not audio of a kind that we read, or their rate or channels lie outside the limits."""

    code = "unsupported_format"


class NoAudioStreamError(ModelError):
    """A readable container with no sound in it."""

    code = "no_audio_stream"


class DecodeFailedError(ModelError):
    """The container was recognised and its content is damaged."""

    code = "decode_failed"


class TooLongError(ModelError):
    """More decoded audio than the caller allows."""

    code = "too_long"


class OptionError(ModelError):
    """A decoding option lies outside its range."""

    code = "invalid_option"


class DeviceError(ModelError):
    """A device was asked for that is not there."""

    code = "device"


class CheckpointError(ModelError):
    """A checkpoint is missing, damaged, or not the one that its manifest names."""

    code = "checkpoint"


class ActivationsError(ModelError):
    """Stored activations are missing, unfinished or damaged."""

    code = "activations"
