"""DELETE removes every byte: a search through all files of the service finds nothing of a deleted recording."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.app.service import Service, finished, running, short_folder, upload, wait_for


def files_with(folder: Path, pieces: list[bytes]) -> list[str]:
    """Files below a folder that hold any of the pieces."""
    return sorted(str(path.relative_to(folder)) for path in _files(folder) if _holds(path, pieces))


@contextmanager
def running_sweeper(service: Service) -> Iterator[None]:
    """A second sweeper on the service's folder."""
    sweeper = Service(service.var, words=("sweeper",)).spawn()
    yield
    sweeper.stop()


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _holds(path: Path, pieces: list[bytes]) -> bool:
    content = path.read_bytes()
    return any(piece in content for piece in pieces)


def test_nothing_of_a_deleted_recording_is_left(tune: bytes) -> None:
    service = Service(short_folder() / "var")
    with running(service), service.client() as client:
        job = finished(client, upload(client, tune, "Very Private Étude.wav"))
        csv = client.get(job["links"]["notes_csv"]).content
        pieces = [tune[60_000:60_064], csv[100:164], b"Very Private"]
        before = files_with(service.var, pieces)
        assert {Path(name).name for name in before} >= {"audio", "notes.csv"}
        assert any(name.startswith("jobs.sqlite3") for name in before)
        assert client.delete(job["links"]["self"]).status_code == 204
        # A sweeper keeps house at its start, and every minute afterwards.
        with running_sweeper(service):
            wait_for(lambda: files_with(service.var, pieces) == [], what="the last byte's end")
