"""Parts for breaking."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.app.faults.measured import MEASURED
from tests.app.faults.stack import Files, Stack, clear, expected_files
from tests.app.service import Service, upload

SHARED_PARTS = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--measured", type=Path, help="page whose table gets what this run measures, if all goes well")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    page: Path | None = session.config.getoption("--measured", None)
    if page is not None and exitstatus == pytest.ExitCode.OK:
        MEASURED.write(page)


@pytest.fixture(scope="session")
def shared_stack() -> Iterator[Stack]:
    """API, one worker and a sweeper on SQLite."""
    stack = Stack()
    stack.api()
    stack.worker()
    stack.sweeper()
    yield stack
    stack.close()


@pytest.fixture(scope="session")
def expected(shared_stack: Stack, tune: bytes) -> Files:
    """What an undisturbed run makes of the tune."""
    with shared_stack.parts[0].client() as client:
        return expected_files(shared_stack, upload(client, tune))


@pytest.fixture
def stack(shared_stack: Stack, expected: Files) -> Iterator[Stack]:
    """The shared parts, all of them up, without any job."""
    if shared_stack.redis_process is not None and shared_stack.redis_process.poll() is not None:
        shared_stack.start_redis()  # a test that failed has left it so
    clear(shared_stack)
    yield shared_stack
    shared_stack.keep(SHARED_PARTS)


@pytest.fixture
def api(stack: Stack) -> Service:
    return stack.parts[0]


@pytest.fixture
def worker(stack: Stack) -> Service:
    return stack.parts[1]


@pytest.fixture
def no_sweeper(stack: Stack) -> None:
    """Nobody takes a worker for lost that is merely slow: for those tests that count the runs of a job."""
    stack.kill(stack.parts[2])


@pytest.fixture
def client(api: Service) -> Iterator[httpx.Client]:
    with api.client() as http:
        yield http
