"""Decoders of strangers' files: what they may do, and what becomes of a job whose decoder does not come back."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from app.worker.confined import reader as reading
from app.worker.confined.decoder import AudioDecoder
from app.worker.confined.messages import HEADER, MOST_AHEAD, Kind, Outbox, read_message
from app.worker.confined.reader import ConfinedReader, DecoderLostError, DecodingTimedOutError
from app.worker.confined.sandbox import Sandbox, missing
from model.audio import AudioLimits, AudioReader
from model.errors import DecodeFailedError, ModelError, TooLongError
from tests.app.service import Service, finished, running, short_folder, upload, wait_for
from tests.hostile.silence import silent_flac
from tests.model.files import FORMATS, VORBIS, encode
from tests.model.signals import SR, sine

ROOMY = Sandbox(memory_bytes=512 * 2**20, cpu_seconds=600)


@pytest.fixture(scope="module")
def decoder() -> Iterator[AudioDecoder]:
    with AudioDecoder(ROOMY, seconds=60) as one:
        yield one


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes: more than the pipe holds, so that its decoder waits for its reader."""
    path = tmp_path_factory.mktemp("long") / "a.flac"
    path.write_bytes(silent_flac(600))
    return path


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def heard(decoder: AudioDecoder, path: Path, **limits: float) -> np.ndarray:
    with decoder.open(path, sr=SR, limits=AudioLimits(**limits)) as source:
        return np.concatenate(list(source.blocks()))


def heard_under(decoder: AudioDecoder, path: Path, number: signal.Signals) -> None:
    """Take the first block, send the decoder a signal, and take the rest."""
    with decoder.open(path, sr=SR, limits=AudioLimits()) as source:
        blocks = source.blocks()
        next(blocks)
        for child in children(decoder.start().pid):
            os.kill(child, number)
        for _ in blocks:
            pass


@pytest.mark.parametrize("kind", [*FORMATS, VORBIS])
def test_a_confined_decoder_hears_what_one_without_fences_hears(
    decoder: AudioDecoder, tmp_path: Path, kind: str
) -> None:
    path = encode(tmp_path / f"a.{kind}", sine(440, 2.5, sr=48000), sr=48000, kind=kind)
    with path.open("rb") as file, AudioReader(file, sr=SR, limits=AudioLimits()) as reader:
        expected = list(reader.blocks())
        with decoder.open(path, sr=SR, limits=AudioLimits()) as source:
            np.testing.assert_array_equal(np.concatenate(list(source.blocks())), np.concatenate(expected))
        assert (source.summary, source.claimed_seconds) == (reader.summary, reader.claimed_seconds)


@pytest.mark.parametrize("content", [b"", b"text " * 100, b"fLaC" + bytes(64)], ids=["empty", "text", "damaged"])
def test_errors_come_through_as_they_are(decoder: AudioDecoder, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    with path.open("rb") as file, pytest.raises(ModelError) as expected, AudioReader(file, sr=SR, limits=AudioLimits()):
        pass
    with pytest.raises(type(expected.value)) as found:
        heard(decoder, path)
    assert found.value.message == expected.value.message


ATTEMPTS = """
import json, os, signal, socket, subprocess, sys, threading
from pathlib import Path
from app.worker.confined.sandbox import Sandbox, prepare

ATTEMPTS = {
    "compute": lambda: sum(bytearray(1000)),
    "read a file": lambda: os.open("/etc/hostname", os.O_RDONLY),
    "look for a file": lambda: os.stat("/etc/hostname"),
    "list a folder": lambda: os.listdir("/"),
    "write a file": lambda: os.open("written", os.O_WRONLY | os.O_CREAT),
    "open a connection": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "open a local connection": lambda: socket.socketpair(),
    "fork": os.fork,
    "start a program": lambda: os.execv(sys.executable, ["python"]),
    "start a thread": lambda: threading.Thread(target=print).start(),
    "signal another process": lambda: os.kill(os.getppid(), 0),
    "take much memory": lambda: bytearray(512 * 2**20),
}
found = {}
prepare()(Sandbox(memory_bytes=64 * 2**20, cpu_seconds=10))
for name, attempt in ATTEMPTS.items():
    try:
        attempt()
        found[name] = "done"
    except (OSError, RuntimeError, MemoryError) as error:
        found[name] = type(error).__name__
os.write(1, json.dumps(found).encode())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="system calls are filtered on Linux only")
def test_behind_the_fences_nothing_is_left_but_to_compute(tmp_path: Path) -> None:
    assert missing() is None, "this machine lacks what the fences need"
    program = subprocess.run(
        [sys.executable, "-c", ATTEMPTS],
        capture_output=True,
        cwd=tmp_path,
        env=dict(os.environ) | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    found = json.loads(program.stdout or b"{}")
    assert found.pop("compute", program.stderr.decode()) == "done"
    assert "done" not in found.values(), found
    assert found["open a connection"] == found["read a file"] == "PermissionError"
    assert list(tmp_path.iterdir()) == []


def test_a_decoder_stands_behind_the_fences_and_holds_no_secret(
    decoder: AudioDecoder, long_recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMT_DATABASE_URL", "postgresql://user:secret@host/jobs")
    with AudioDecoder(ROOMY, seconds=60) as fresh, fresh.open(long_recording, sr=SR, limits=AudioLimits()) as source:
        next(source.blocks())
        (pid,) = children(fresh.start().pid)
        process = Path(f"/proc/{pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        bounds = {line[:25].strip(): line[25:].split() for line in (process / "limits").read_text().splitlines()}
        assert (status["Seccomp"].strip(), status["NoNewPrivs"].strip(), status["Threads"].strip()) == ("2", "1", "1")
        assert bounds["Max cpu time"][:2] == ["600", "601"]
        assert bounds["Max file size"][:2] == bounds["Max core file size"][:2] == ["0", "0"]
        assert int(bounds["Max address space"][0]) < 2**30
        assert b"secret" not in (process / "environ").read_bytes()
        assert len(list((process / "fd").iterdir())) <= 6  # the standard three, the recording, the pipe
    assert not process.exists()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_crash_is_the_files_fault_and_the_next_file_is_decoded(
    decoder: AudioDecoder, long_recording: Path, number: signal.Signals
) -> None:
    server = decoder.start().pid
    with pytest.raises(DecodeFailedError, match="crashed over this file"):
        heard_under(decoder, long_recording, number)
    assert len(heard(decoder, long_recording)) == 600 * SR
    assert decoder.start().pid == server
    assert children(server) == []


def test_a_decoder_killed_from_outside_is_not_the_files_fault(decoder: AudioDecoder, long_recording: Path) -> None:
    with pytest.raises(DecoderLostError, match="send it again"):
        heard_under(decoder, long_recording, signal.SIGKILL)


def test_a_server_killed_from_outside_is_started_again(decoder: AudioDecoder, long_recording: Path) -> None:
    with decoder.open(long_recording, sr=SR, limits=AudioLimits()) as source:
        blocks = source.blocks()
        next(blocks)
        os.kill(decoder.start().pid, signal.SIGKILL)
        with pytest.raises(DecoderLostError):
            list(blocks)
    assert len(heard(decoder, long_recording)) == 600 * SR
    os.kill(decoder.start().pid, signal.SIGKILL)
    assert len(heard(decoder, long_recording)) == 600 * SR


def test_a_decoder_that_hangs_is_ended(decoder: AudioDecoder, long_recording: Path) -> None:
    with decoder.open(long_recording, sr=SR, limits=AudioLimits()) as source:
        blocks = source.blocks()
        next(blocks)
        for child in children(decoder.start().pid):
            os.kill(child, signal.SIGSTOP)
        source.seconds = 0.5
        with pytest.raises(DecodingTimedOutError) as error:
            list(blocks)
    assert error.value.code == "timed_out"
    assert children(decoder.start().pid) == []


def test_a_decoder_that_computes_without_end_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(silent_flac(100 * 3600))
    with (
        AudioDecoder(Sandbox(memory_bytes=512 * 2**20, cpu_seconds=1), seconds=60) as strict,
        pytest.raises(DecodingTimedOutError),
    ):
        heard(strict, path, max_seconds=1e6)


def test_a_decoder_that_wants_too_much_memory_is_refused_it(tmp_path: Path) -> None:
    """A second of eight channels at 192 kHz takes more than the four megabytes that are allowed here."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((2 * 192_000, 8), np.float32), 192_000)
    narrow = AudioDecoder(Sandbox(memory_bytes=4 * 2**20, cpu_seconds=60), seconds=60)
    with narrow, pytest.raises(DecodeFailedError, match="takes more memory"):
        heard(narrow, path)


class Mouth:
    """A decoder that is in its file's hands: it says whatever the test wants."""

    def __init__(self, *messages: bytes) -> None:
        self.pipe, theirs = os.pipe()
        fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 2**20)  # room for all that is said
        with os.fdopen(theirs, "wb") as out:
            out.write(b"".join(messages))

    def hear(self) -> list[np.ndarray]:
        try:
            reader = ConfinedReader(self.pipe, lambda: 0, sr=SR, limits=AudioLimits(max_seconds=1), seconds=5)
            return list(reader.blocks())
        finally:
            os.close(self.pipe)


def message(kind: int, content: bytes) -> bytes:
    return HEADER.pack(kind, len(content)) + content


FOUND = {"container": "wav", "codec": "x", "sr": 8000, "channels": 1, "claimed_seconds": 1}
OPENED = message(Kind.OPENED, json.dumps(FOUND).encode())
SECOND = message(Kind.BLOCK, bytes(4 * SR))

LIES: dict[str, tuple[list[bytes], type[ModelError]]] = {
    "no such kind": ([message(9, b"")], DecodeFailedError),
    "a huge message": ([HEADER.pack(Kind.BLOCK, 2**31)], DecodeFailedError),
    "sound before the summary": ([SECOND], DecodeFailedError),
    "not JSON": ([message(Kind.OPENED, b"\xff{")], DecodeFailedError),
    "a negative rate": ([OPENED.replace(b"8000", b"-800")], DecodeFailedError),
    "half a sample": ([OPENED, message(Kind.BLOCK, bytes(5))], DecodeFailedError),
    "not a number": ([OPENED, message(Kind.BLOCK, np.float32(np.nan).tobytes())], DecodeFailedError),
    "more than is allowed": ([OPENED, SECOND, SECOND, SECOND], TooLongError),
    "an error of its own making": ([message(Kind.FAILED, b'{"code": "poisoned", "message": "x"}')], DecoderLostError),
    "nothing more": ([OPENED, SECOND], DecoderLostError),
}


@pytest.mark.parametrize("name", LIES)
def test_what_a_decoder_says_is_not_believed(name: str) -> None:
    said, error = LIES[name]
    with pytest.raises(error):
        Mouth(*said).hear()


def test_what_it_says_to_people_is_cleaned() -> None:
    said = json.dumps({"code": "decode_failed", "message": "\x1b[2Jred\r\nline" + "x" * 5000}).encode()
    with pytest.raises(DecodeFailedError) as error:
        Mouth(message(Kind.FAILED, said)).hear()
    assert error.value.message == ("[2Jredline" + "x" * 5000)[: reading.LONGEST_TEXT]


def test_a_slow_talker_does_not_hold_the_reader_up() -> None:
    pipe, theirs = os.pipe()
    os.write(theirs, HEADER.pack(Kind.OPENED, 100) + b"{")
    start = time.monotonic()
    with pytest.raises(DecodingTimedOutError):
        ConfinedReader(pipe, lambda: None, sr=SR, limits=AudioLimits(), seconds=0.2)
    assert time.monotonic() - start >= 0.2
    os.close(pipe)
    os.close(theirs)


def test_a_decoder_runs_ahead_of_its_reader_and_not_for_ever() -> None:
    pipe, theirs = os.pipe()
    outbox, block = Outbox(theirs), bytes(range(256)) * 256
    sent = [bytes([number]) + block for number in range(MOST_AHEAD // len(block))]
    for content in sent:  # nobody reads
        outbox.send(Kind.BLOCK, content)
    more = threading.Thread(target=lambda: [outbox.send(Kind.BLOCK, content) for content in sent] and outbox.flush())
    more.start()
    more.join(0.2)
    assert more.is_alive()
    assert [read_message(pipe, seconds=60) for _ in range(2 * len(sent))] == [(Kind.BLOCK, one) for one in sent * 2]
    more.join()
    os.close(theirs)
    with pytest.raises(EOFError):
        read_message(pipe, seconds=60)
    os.close(pipe)


def test_no_decoder_outlives_its_worker(tmp_path: Path, long_recording: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from app.worker.confined.decoder import *\n"
        "d = AudioDecoder(Sandbox(2**29, 60), seconds=60)\n"
        "with d.open(Path(sys.argv[1]), sr=16000, limits=AudioLimits()) as source:\n"
        "    next(source.blocks()); print(d.start().pid, flush=True); time.sleep(600)\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", program, str(long_recording)], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    server = int(worker.stdout.readline())
    family = [server, *children(server)]
    assert len(family) == 2
    worker.kill()
    worker.wait()
    worker.stdout.close()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), what="the end of the decoder")


def test_a_crashing_decoder_costs_its_job_and_nothing_else(tune: bytes) -> None:
    """Through the whole service: the job fails as decode_failed, the worker's process goes on."""
    whole = Service(short_folder() / "var")
    with running(whole), whole.client() as client:
        finished(client, upload(client, tune))
        (server,) = _decoder_servers(whole)
        job = upload(client, silent_flac(3600), "long.flac")
        for child in wait_for(lambda: children(server), what="the decoder"):
            os.kill(child, signal.SIGSEGV)
        failed = finished(client, job)
        assert failed["error"] == {
            "code": "decode_failed",
            "message": "the decoder crashed over this file: its content is damaged",
            "retryable": False,
        }
        assert finished(client, upload(client, tune))["status"] == "succeeded"
        assert _decoder_servers(whole) == [server]
    # Its parent is gone before it is: whoever adopts it may take a moment to bury it.
    wait_for(lambda: not Path(f"/proc/{server}").exists(), what="the end of the decoder")


def _decoder_servers(whole: Service) -> list[int]:
    workers = [pid for pid, line in whole.processes().items() if "--queue transcribe" in line]
    found = [child for worker in workers for child in children(worker)]
    return [pid for pid in found if b"app.worker.confined.server" in Path(f"/proc/{pid}/cmdline").read_bytes()]
