"""Files made to harm: each ends as it must, nothing is read or asked for on their behalf, and the worker goes on."""

import os
import random
import re
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.worker.confined.decoder import AudioDecoder
from app.worker.confined.reader import CODES
from app.worker.confined.sandbox import Sandbox
from model.audio import AudioLimits
from model.errors import ModelError
from tests.app.service import Service, finished, read, upload
from tests.hostile.files import FILE_NAMES, SECRET, HostileFile, hostile_files, playlists, references
from tests.hostile.mutate import mutations
from tests.model.files import FORMATS, VORBIS, encode
from tests.model.signals import SR, melody, sine

ROOMY = Sandbox(memory_bytes=512 * 2**20, cpu_seconds=120)
FILE_CODES = set(CODES)
SECONDS = 600.0  # longest recording in these tests
MUTATIONS = 2400
MOST_GROWTH = 16 * 2**20


class Witness(socketserver.ThreadingTCPServer):
    """A server that notes whoever comes."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        self.visits = 0
        super().__init__(("127.0.0.1", 0), _Visit)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Visit(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Witness)
        self.server.visits += 1


@pytest.fixture
def witness() -> Iterator[Witness]:
    with Witness() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def decoder() -> Iterator[AudioDecoder]:
    with AudioDecoder(ROOMY, seconds=60) as one:
        yield one


def outcome(decoder: AudioDecoder, path: Path) -> str:
    """``sound`` or the error's code."""
    failure: ModelError | None = None
    try:
        with decoder.open(path, sr=SR, limits=AudioLimits(max_seconds=SECONDS)) as source:
            for block in source.blocks():
                assert np.isfinite(block).all()
    except ModelError as error:
        failure = error
    assert failure is None or failure.message.isprintable()
    return "sound" if failure is None else failure.code


def memory(pid: int | str) -> int:
    """Bytes of a process that lie in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def fits(file: HostileFile, found: str) -> bool:
    if file.outcome == "refused":
        return found in FILE_CODES
    return found in FILE_CODES | {"sound"} if file.outcome == "any" else found == file.outcome


def test_each_hostile_file_ends_as_it_must(decoder: AudioDecoder, witness: Witness, tmp_path: Path) -> None:
    decoder.start()
    path = tmp_path / "upload"
    wrong = {}
    for file in hostile_files(tmp_path, witness.url):
        path.write_bytes(file.content)
        found = outcome(decoder, path)
        if not fits(file, found):
            wrong[file.name] = f"{found} instead of {file.outcome}"
    assert wrong == {}
    assert witness.visits == 0


def test_the_witness_sees_who_comes(witness: Witness) -> None:
    """Without this the tests that nobody came would prove nothing."""
    with socket.create_connection(("127.0.0.1", witness.server_address[1])) as connection:
        assert connection.recv(1) == b""
    assert witness.visits == 1


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Half a second of every format."""
    folder = tmp_path_factory.mktemp("originals")
    wave = melody([(0.0, 0.3, 60), (0.2, 0.5, 67)], 0.5, sr=48000)
    return {
        kind: encode(folder / f"a.{kind}", wave, sr=48000, kind=kind, channels=2).read_bytes()
        for kind in [*FORMATS, VORBIS]
    }


@pytest.mark.timeout(900)  # about a minute on a machine of its own
def test_thousands_of_mutated_files_do_no_harm(originals: dict[str, bytes], tmp_path: Path) -> None:
    """Seeded: a failure names the mutation, which the same seed makes again."""
    n_workers = 2
    shares: list[list[tuple[str, bytes]]] = [[] for _ in range(n_workers)]
    for number, mutation in enumerate(mutations(originals, MUTATIONS, seed=2024)):
        shares[number % n_workers].append(mutation)
    before = open_files()
    with ThreadPoolExecutor(n_workers) as pool:
        found = list(pool.map(_try_all, shares, [tmp_path / str(number) for number in range(n_workers)]))
    outcomes = Counter(code for share, _ in found for code in share.values())
    internal = [name for share, _ in found for name, code in share.items() if code not in FILE_CODES | {"sound"}]
    assert internal == [], f"{len(internal)} mutations failed for a reason that is not the file's"
    assert outcomes.total() == MUTATIONS
    assert min(outcomes["sound"], outcomes["decode_failed"]) > MUTATIONS / 20, f"hardly a test: {outcomes}"
    assert all(growth < MOST_GROWTH for _, growth in found)
    assert open_files() == before


def _try_all(share: list[tuple[str, bytes]], path: Path) -> tuple[dict[str, str], int]:
    """Outcomes by mutation, and by how much the decoders' server has grown."""
    with AudioDecoder(ROOMY, seconds=60) as decoder:
        found, server = {}, decoder.start().pid
        before = 0
        for number, (name, content) in enumerate(share):
            path.write_bytes(content)
            found[name] = outcome(decoder, path)
            if number == 20:
                before = memory(server)
        assert decoder.start().pid == server
        return found, memory(server) - before


def test_nothing_is_fetched_through_the_service_and_the_worker_goes_on(
    client: httpx.Client, service: Service, witness: Witness, tmp_path: Path, tune: bytes
) -> None:
    worker = service.child("worker", "--queue transcribe")
    m4a = encode(tmp_path / "a.m4a", sine(440, 1), sr=SR, kind="m4a").read_bytes()
    files = playlists(witness.url) | references(m4a, witness.url)
    jobs = {name: upload(client, content, name) for name, content in files.items()}
    secret = Path(SECRET).read_text().strip()
    for name, job in jobs.items():
        done = finished(client, job)
        assert done["status"] in ("succeeded", "failed")
        assert (done["error"] or {}).get("code") in {*FILE_CODES, None}, name
        if name in playlists(witness.url):
            assert done["error"]["code"] == "unsupported_format"
        # Not within a word: a short name may stand in an id, or in the random name of the results.
        assert not re.search(rf"\b{re.escape(secret)}\b", str(done).replace(name, "").replace(done["id"], ""))
    assert witness.visits == 0
    assert finished(client, upload(client, tune))["status"] == "succeeded"
    assert service.child("worker", "--queue transcribe") == worker


@pytest.mark.parametrize("name", FILE_NAMES)
def test_a_file_name_stays_a_name(idle: httpx.Client, idle_service: Service, name: str, tune: bytes) -> None:
    stored_before = set(idle_service.var.rglob("*"))
    edge = f"edge{random.Random(name).getrandbits(64):x}"
    head = b'--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n'
    body = head % (edge.encode(), name.encode().replace(b"\r\n", b"%0D%0A").replace(b'"', b"%22"))
    answer = idle.post(
        "/v1/transcriptions",
        content=body + tune[:50_000] + f"\r\n--{edge}--\r\n".encode(),
        headers={"Content-Type": f"multipart/form-data; boundary={edge}"},
    )
    if answer.status_code == 400:  # a form may not hold such a name at all
        return
    assert answer.status_code == 202, answer.text
    job = answer.json()
    shown = job["file"]["name"]
    assert shown.isprintable()
    assert not set(shown) & set('/\\<>"|?*:')
    assert len(shown) <= 200
    new = {path for path in idle_service.var.rglob("*") if path not in stored_before and path.is_file()}
    assert all(job["id"] in str(path) for path in new if "storage" in path.parts)
    header = idle.get(job["links"]["audio"]).headers["Content-Disposition"]
    assert header.isprintable()
    assert read(idle, job)["file"]["name"] == shown
    assert not any(not character.isprintable() for line in idle_service.log.splitlines() for character in line)
