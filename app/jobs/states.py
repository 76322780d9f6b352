"""The states of a job.

    queued -> running -> succeeded | failed
       ^         |
       +---------+  handed back, or its worker was lost

A queued or running job can become `cancelled`, a finished one `expired` or `deleted`. Nothing leaves a terminal state
but for `expired` and `deleted`.
"""

from enum import StrEnum


class Status(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    DELETED = "deleted"  # its files are being removed; for a caller it does not exist any more


ACTIVE = (Status.QUEUED, Status.RUNNING)
TERMINAL = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.EXPIRED, Status.DELETED)


class ErrorCode(StrEnum):
    """Why a job ended without notes."""

    UNSUPPORTED_FORMAT = "unsupported_format"
    NO_AUDIO_STREAM = "no_audio_stream"
    TOO_LONG = "too_long"
    TOO_LARGE = "too_large"
    DECODE_FAILED = "decode_failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    POISONED = "poisoned"
    OUT_OF_SPACE = "out_of_space"
    INTERNAL = "internal"


# The same file would fail again in the same way, but for these.
RETRYABLE = frozenset({ErrorCode.INTERNAL, ErrorCode.OUT_OF_SPACE, ErrorCode.TIMED_OUT})
