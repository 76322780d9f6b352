"""The process that forks decoders: ``python -m app.worker.confined.server CONTROL``, with a socket's number.

It holds nothing worth stealing: it is started with an almost empty environment and never opens a connection. It has
loaded FFmpeg when a file comes, so that a decoder costs a fork and no start of an interpreter. It never looks into a
stranger's file itself.

One decoder runs at a time. A request is a JSON document with two open files beside it: the recording, and the pipe for
the decoder's messages. The next byte ends the decoder, wherever it is; the answer is its exit status.
"""

import io
import json
import os
import signal
import socket
import sys
import traceback
import wave
from collections.abc import Callable
from typing import Any

from app.process import die_with_parent
from app.worker.confined.messages import Kind, Outbox
from app.worker.confined.sandbox import Sandbox, prepare
from model.audio import AudioLimits, AudioReader
from model.errors import DecodeFailedError, ModelError

LONGEST_REQUEST = 4096

Enter = Callable[[Sandbox], None]


def serve(control: socket.socket) -> None:
    """Fork a decoder for each request, until the other side is gone."""
    enter = prepare()
    _warm_up()
    while True:
        request, files, _, _ = socket.recv_fds(control, LONGEST_REQUEST, 2)
        if not request:
            return
        child = _fork(control, json.loads(request), files, enter)
        for file in files:
            os.close(file)
        if not control.recv(1):
            return  # the decoder dies with us
        os.kill(child, signal.SIGKILL)  # one that has ended already keeps its status
        _, status = os.waitpid(child, 0)
        control.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "little", signed=True))


def _warm_up() -> None:
    """Decode a little silence: PyAV loads parts of itself at the first file, and a decoder could not open them."""
    file = io.BytesIO()
    with wave.open(file, "wb") as silence:
        silence.setparams((1, 2, 8000, 0, "NONE", ""))
        silence.writeframes(bytes(1600))
    with AudioReader(file, sr=16000, limits=AudioLimits()) as reader:
        for _ in reader.blocks():
            pass


def _fork(control: socket.socket, request: dict[str, Any], files: list[int], enter: Enter) -> int:
    server = os.getpid()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        control.close()
        die_with_parent(server)
        status = _be_decoder(request, files[0], files[1], enter)
    finally:
        os._exit(status)


def _be_decoder(request: dict[str, Any], recording: int, pipe: int, enter: Enter) -> int:
    """Decode within the fences; gives the exit status."""
    outbox = Outbox(pipe)
    try:
        enter(Sandbox(**request["sandbox"]))
        _decode(recording, outbox, sr=request["sr"], limits=AudioLimits(**request["limits"]))
        outbox.flush()
    except BrokenPipeError:
        return 1  # nobody listens any more
    except BaseException:  # our mistake; a log that is a file could not be written to from here
        outbox.send_document(Kind.FAILED, {"code": ModelError.code, "message": traceback.format_exc(limit=-3)})
        outbox.flush()
        return 1
    return 0


def _decode(recording: int, outbox: Outbox, *, sr: int, limits: AudioLimits) -> None:
    """Send the recording's sound, or why there is none."""
    try:
        _send(recording, outbox, sr=sr, limits=limits)
    except ModelError as error:
        outbox.send_document(Kind.FAILED, {"code": error.code, "message": error.message})
    except MemoryError:
        message = "the file takes more memory to decode than a recording may"
        outbox.send_document(Kind.FAILED, {"code": DecodeFailedError.code, "message": message})


def _send(recording: int, outbox: Outbox, *, sr: int, limits: AudioLimits) -> None:
    with os.fdopen(recording, "rb", closefd=False) as file, AudioReader(file, sr=sr, limits=limits) as reader:
        found = reader.summary
        opened = {"container": found.container, "codec": found.codec, "sr": found.sr, "channels": found.channels}
        outbox.send_document(Kind.OPENED, opened | {"claimed_seconds": reader.claimed_seconds})
        for block in reader.blocks():
            outbox.send(Kind.BLOCK, block.astype("<f4", copy=False).data.cast("B"))
        outbox.send_document(Kind.DONE, {"duration": found.duration, "warnings": found.warnings})


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as inherited:
        serve(inherited)
