"""Callers share the service: turns go round among them, and nobody takes up more than a caller may."""

import contextlib
import io
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from redis import Redis
from sqlalchemy.orm import Session

from app.api.admission import admission
from app.api.caller import Caller, network_of
from app.api.length import MOST_BYTES_PER_SECOND, guess_seconds
from app.catalogue import load_catalogue
from app.clock import utc_now
from app.database import open_database, session_factory
from app.errors import TooManyRequests
from app.jobs.lanes import Lanes
from app.jobs.repository import JobRepository
from app.jobs.sharing import SharingRepository
from app.jobs.states import ErrorCode, Status
from app.jobs.versions import version_document
from app.keys.repository import KeyRepository
from app.keys.table import Scope
from app.lanes import Lane
from app.schema import migrate
from app.settings import Settings
from tests.app.keyed import as_key
from tests.app.service import Service, repository, running, short_folder, upload, wait_for
from tests.app.test_jobs import AUDIO, claim, make_job, revision, stored
from tests.model.files import encode
from tests.model.signals import TUNE, TUNE_SECONDS, melody

ANNA, BEN, CLEO = "anna", "ben", "cleo"
START = utc_now()


@pytest.fixture
def sharing(jobs: JobRepository, database_url: str) -> Iterator[SharingRepository]:
    """The same table as `jobs`."""
    engine = open_database(database_url)
    yield SharingRepository(session_factory(engine), Lanes())
    engine.dispose()


def wait_in_line(jobs: JobRepository, submitter: str | None, *names: str, after: float = 0.0) -> None:
    for number, name in enumerate(names):
        moment = START + timedelta(seconds=after + number)
        jobs.add(make_job(name, submitter=submitter, created_at=moment, queued_at=moment))


def worked_off(jobs: JobRepository, sharing: SharingRepository) -> list[str]:
    """Ids in the order in which one worker takes them."""
    taken = []
    while (job_id := sharing.next_job(Lane.USUAL)) is not None:
        assert jobs.claim(job_id, holder="me", seconds=60) is not None
        taken.append(job_id)
    return taken


# Turns -------------------------------------------------------------------------------------------------------------


def test_one_with_many_jobs_does_not_hold_up_another_with_one(jobs: JobRepository, sharing: SharingRepository) -> None:
    many = [f"a{number:03}" for number in range(50)]
    wait_in_line(jobs, ANNA, *many)
    assert jobs.claim(many[0], holder="me", seconds=60)
    wait_in_line(jobs, BEN, "b", after=1000)
    taken = worked_off(jobs, sharing)
    assert taken[0] == "b"
    assert taken[1:] == many[1:]


def test_turns_go_round(jobs: JobRepository, sharing: SharingRepository) -> None:
    wait_in_line(jobs, ANNA, "a1", "a2", "a3", "a4")
    wait_in_line(jobs, BEN, "b1", "b2", after=100)
    wait_in_line(jobs, None, "n1", "n2", after=200)
    places = {job_id: sharing.position(stored(jobs, job_id)) for job_id in ("a1", "a2", "a4", "b1", "b2", "n1", "n2")}
    taken = worked_off(jobs, sharing)
    assert taken == ["n1", "a1", "b1", "n2", "a2", "b2", "a3", "a4"]
    assert places == {job_id: taken.index(job_id) + 1 for job_id in places}


def test_within_a_caller_the_oldest_comes_first(jobs: JobRepository, sharing: SharingRepository) -> None:
    for number in range(5):
        moment = START + timedelta(seconds=number // 2)  # some at the same instant
        jobs.add(make_job(f"j{number}", created_at=moment, queued_at=moment))
    assert [sharing.position(stored(jobs, f"j{number}")) for number in range(5)] == [1, 2, 3, 4, 5]
    assert worked_off(jobs, sharing) == ["j0", "j1", "j2", "j3", "j4"]
    assert sharing.position(stored(jobs, "j4")) == 1  # started in between


def test_places_follow_who_was_served_last(jobs: JobRepository, sharing: SharingRepository) -> None:
    wait_in_line(jobs, ANNA, "a1", "a2", "a3")
    wait_in_line(jobs, BEN, "b1", "b2", "b3", after=100)
    first = sharing.next_job(Lane.USUAL)
    assert first == "a1"
    jobs.claim(first, holder="me", seconds=60)
    assert [sharing.position(stored(jobs, job_id)) for job_id in ("b1", "a2", "b2", "a3", "b3")] == [1, 2, 3, 4, 5]
    assert worked_off(jobs, sharing) == ["b1", "a2", "b2", "a3", "b3"]


def test_a_turn_outlives_the_deletion_of_its_job(jobs: JobRepository, sharing: SharingRepository) -> None:
    """Who deletes each job once it is done does not come first for that."""
    wait_in_line(jobs, ANNA, "a1", "a2")
    wait_in_line(jobs, BEN, "b1", "b2", after=100)
    for job_id in ("a1", "b1"):
        lease = jobs.claim(job_id, holder="me", seconds=60)
        assert lease is not None
        assert jobs.fail(lease, ErrorCode.INTERNAL, "a private name")
    assert jobs.mark_deleted("b1")
    assert jobs.remove("b1")
    left = stored(jobs, "b1")
    assert (left.file_name, left.owner, left.error_message, left.file_sha256) == ("", None, None, "")
    assert sharing.next_job(Lane.USUAL) == "a2"
    jobs.forget_turns(utc_now() - timedelta(hours=1))
    assert sharing.next_job(Lane.USUAL) == "a2"
    jobs.forget_turns(utc_now())
    assert jobs.get("b1") is None
    assert sharing.next_job(Lane.USUAL) == "b2"


def test_nobody_else_is_given_the_turn_of_a_deleted_job(jobs: JobRepository) -> None:
    wait_in_line(jobs, BEN, "b")
    lease = jobs.claim("b", holder="me", seconds=60)
    assert lease is not None
    assert jobs.fail(lease, ErrorCode.INTERNAL, "")
    assert jobs.mark_deleted("b")
    assert jobs.remove("b")
    assert jobs.change_owner(None, CLEO) == 0
    assert stored(jobs, "b").submitter == BEN


# What each has taken up --------------------------------------------------------------------------------------------


def test_usage_counts_what_is_kept_and_what_waits(jobs: JobRepository, sharing: SharingRepository) -> None:
    soon = utc_now() + timedelta(hours=1)
    mine = {"submitter": ANNA, "file_bytes": 100, "seconds_expected": 60.0}
    jobs.add(make_job("queued", **mine))
    jobs.add(make_job("running", status=Status.RUNNING, seconds_total=600.0, seconds_done=500.0, **mine))
    jobs.add(make_job("over", status=Status.RUNNING, seconds_total=600.0, seconds_done=700.0, **mine))
    jobs.add(make_job("done", status=Status.SUCCEEDED, expires_at=soon, **mine))
    jobs.add(make_job("failed", status=Status.FAILED, **mine))
    for status in (Status.CANCELLED, Status.EXPIRED, Status.DELETED):
        jobs.add(make_job(status, status=status, **mine))
    jobs.add(make_job("another's", submitter=BEN))
    usage = sharing.usage(ANNA)
    assert (usage.active_jobs, usage.queued_seconds, usage.stored_bytes) == (3, 160.0, 500)
    assert usage.next_expiry == soon
    assert sharing.usage(CLEO).active_jobs == 0


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("127.0.0.1", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        ("a socket", "a socket"),
    ],
)
def test_an_address_counts_as_one_caller_but_for_this_machine(address: str, counted_as: str | None) -> None:
    assert Caller(None, network_of(address)).submitter == counted_as


# Limits ------------------------------------------------------------------------------------------------------------


def limited(redis_url: str, **limits: str) -> Service:
    """An API with these limits; nobody works."""
    service = Service(short_folder() / "var", words=("api",), settings={"redis_url": redis_url} | limits)
    migrate(service.configuration().database)
    return service


def key_of(service: Service) -> str:
    engine = open_database(service.configuration().database)
    secret = KeyRepository(session_factory(engine)).create("a test", list(Scope))[1]
    engine.dispose()
    return secret


def refused(answer: httpx.Response, policy: str) -> dict[str, Any]:
    assert answer.status_code == 429, answer.text
    document: dict[str, Any] = answer.json()
    assert document["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert document["violated-policies"] == [policy]
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Content-Type"] == "application/problem+json"
    return document


def test_requests_are_counted_by_key_and_by_address(redis_url: str, redis: Redis) -> None:
    with running(limited(redis_url, limit_requests="5")) as api:
        with as_key(api, key_of(api)) as anna, as_key(api, key_of(api)) as ben:
            left = []
            for _ in range(5):
                answer = anna.get("/v1/transcriptions")
                assert answer.status_code == 200
                assert answer.headers["RateLimit-Policy"] == '"requests";q=5;w=60'
                left.append(answer.headers["RateLimit"].partition(";t=")[0])
            assert left == [f'"requests";r={number}' for number in (4, 3, 2, 1, 0)]
            answer = anna.get("/v1/transcriptions")
            assert "More than 5 requests within 60 s" in refused(answer, "requests")["detail"]
            assert answer.headers["RateLimit"].startswith('"requests";r=0;t=')
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert ben.get("/v1/transcriptions").status_code == 200
        elsewhere = {"X-Forwarded-For": "203.0.113.9"}
        with api.client() as nobody:  # guesses keys, from an address that a trusted proxy names
            assert [nobody.get("/v1/models", headers=elsewhere).status_code for _ in range(6)] == [401] * 5 + [429]
            assert nobody.get("/v1/models", headers={"X-Forwarded-For": "203.0.113.10"}).status_code == 401
            assert nobody.get("/healthz", headers=elsewhere).status_code == 200
            assert [nobody.get("/v1/models").status_code for _ in range(6)] == [401] * 5 + [429], "from this machine"
            assert nobody.post("/v1/session", json={"key": "amt_guess"}).status_code == 429


def test_this_machine_itself_is_not_limited_without_keys(redis_url: str) -> None:
    with running(limited(redis_url, limit_requests="2", limit_jobs="1")) as api, api.client() as client:
        for _ in range(4):
            upload(client, b"x")
            answer = client.get("/v1/transcriptions")
            assert answer.status_code == 200
            assert "RateLimit" not in answer.headers


def test_without_redis_nobody_is_refused(tmp_path: Any) -> None:
    api = limited(f"unix://{tmp_path}/none.sock", limit_requests="1")
    with running(api), as_key(api, key_of(api)) as client:
        assert [client.get("/v1/transcriptions").status_code for _ in range(3)] == [200] * 3


@pytest.fixture(scope="module")
def narrow(redis_url: str) -> Iterator[Service]:
    """An API that allows little."""
    limits = {"limit_jobs": "3", "limit_queued_minutes": "0.3", "limit_stored_bytes": "900000"}
    with running(limited(redis_url, **limits)) as api:
        yield api


def test_waiting_jobs_of_a_key_are_limited(narrow: Service) -> None:
    folder = narrow.var / "storage" / "jobs"
    with as_key(narrow, key_of(narrow)) as anna, as_key(narrow, key_of(narrow)) as ben:
        first, _, _ = (upload(anna, b"x") for _ in range(3))
        stored_before = set(folder.iterdir())
        assert "3 of your jobs wait or run, 3 are allowed at once" in refused(_post(anna), "jobs")["detail"]
        assert set(folder.iterdir()) == stored_before
        upload(ben, b"x")
        anna.delete(first["links"]["self"])
        upload(anna, b"x")


def test_open_streams_of_a_key_are_limited(redis_url: str) -> None:
    with running(limited(redis_url, limit_streams="2")) as api, as_key(api, key_of(api)) as anna:
        events = upload(anna, b"x")["links"]["events"]
        with anna.stream("GET", events) as first, contextlib.ExitStack() as others:
            second = others.enter_context(anna.stream("GET", events))
            lines = [first.iter_lines(), second.iter_lines()]  # to be kept: what is forgotten is closed
            assert all(next(of_one).startswith("id: ") for of_one in lines)
            assert "2 event streams of yours are open" in refused(anna.get(events), "streams")["detail"]
            with as_key(api, key_of(api)) as ben, ben.stream("GET", upload(ben, b"x")["links"]["events"]) as own:
                assert own.status_code == 200
            others.close()
            wait_for(lambda: _opens(anna, events), what="the place of the stream that was closed")


def _opens(client: httpx.Client, events: str) -> bool:
    with client.stream("GET", events) as stream:
        return stream.status_code == 200


def test_waiting_minutes_of_a_key_are_limited(narrow: Service, tune: bytes) -> None:
    with as_key(narrow, key_of(narrow)) as client:
        jobs = [upload(client, tune) for _ in range(2)]  # 12 s each
        assert "0 minutes of your audio wait, 0.3 are allowed" in refused(_post(client), "queued-minutes")["detail"]
    with repository(narrow.configuration().database) as table:
        assert stored(table, jobs[0]["id"]).seconds_expected == pytest.approx(TUNE_SECONDS, abs=0.1)


def test_stored_bytes_of_a_key_are_limited(narrow: Service) -> None:
    fast = b"RIFF....WAVEfmt " + bytes(12) + struct.pack("<I", MOST_BYTES_PER_SECOND) + bytes(500_000)
    with as_key(narrow, key_of(narrow)) as client:
        first, _ = upload(client, fast), upload(client, fast)
        answer = _post(client)
        assert f"take {2 * len(fast)} bytes, 900000 are allowed" in refused(answer, "stored-bytes")["detail"]
        assert int(answer.headers["Retry-After"]) > 6 * 86400
        client.delete(first["links"]["self"])
        upload(client, b"x")


def test_edits_count_among_the_stored_bytes(narrow: Service) -> None:
    fast = b"RIFF....WAVEfmt " + bytes(12) + struct.pack("<I", MOST_BYTES_PER_SECOND) + bytes(500_000)
    with as_key(narrow, key_of(narrow)) as client:
        job = upload(client, fast)
        with repository(narrow.configuration().database) as table:
            assert table.succeed(
                claim(table, job["id"]), revision("r"), audio=AUDIO, model_name="m", model_sha256="2" * 64
            )
            version = version_document(revision("v"), utc_now())
            version["files"]["notes.mid"]["size"] = 400_000
            assert table.add_version(stored(table, job["id"]), version)
        answer = client.put(job["links"]["notes"], json={"notes": []}, headers={"If-Match": "*"})
        assert f"take {len(fast) + 400_000} bytes, 900000" in refused(answer, "stored-bytes")["detail"]
        refused(_post(client), "stored-bytes")


def test_uploads_of_one_moment_do_not_pass_a_limit_together(jobs: JobRepository) -> None:
    """Each looks and is noted before the next one looks."""
    limits = Settings(limit_jobs=0, limit_queued_minutes=0, limit_stored_bytes=250)
    admit = admission(limits, Caller(None, "203.0.113.9"), load_catalogue(limits.checkpoint).models[0])
    start = threading.Barrier(8)

    def admit_slowly(session: Session) -> None:
        admit(session)
        time.sleep(0.05)

    def one(number: int) -> bool:
        start.wait()
        try:
            jobs.add(make_job(f"j{number}", submitter="203.0.113.9", file_bytes=100), admit=admit_slowly)
        except TooManyRequests:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        accepted = list(pool.map(one, range(8)))
    assert accepted.count(True) == 3  # the third is the one that reaches the limit
    assert [jobs.get(f"j{number}") is not None for number in range(8)] == accepted


def _post(client: httpx.Client) -> httpx.Response:
    return client.post("/v1/transcriptions", files={"file": ("a.wav", b"x")})


# Guessing lengths --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_stated_lengths_are_believed(tmp_path: Any, kind: str) -> None:
    data = encode(tmp_path / f"a.{kind}", melody(TUNE, TUNE_SECONDS, sr=16000), sr=16000, kind=kind).read_bytes()
    file = io.BytesIO(data)
    file.seek(0, io.SEEK_END)  # where storing it leaves it
    assert guess_seconds(file, len(data), longest=7200) == pytest.approx(TUNE_SECONDS, abs=0.1)
    assert file.tell() == 0
    assert guess_seconds(file, len(data), longest=5) == 5


@pytest.mark.parametrize(
    "head",
    [b"", b"x", b"RIFF....WAVEfmt ", b"RIFF....WAVEfmt " + bytes(50), b"fLaC" + bytes(50), b"fLaC",
     b"RIFF....WAVEfmt " + bytes(12) + struct.pack("<I", 2**32 - 1)],
)  # fmt: skip
def test_what_lies_or_says_nothing_still_counts(head: bytes) -> None:
    size = 10**8
    assert guess_seconds(io.BytesIO(head), size, longest=7200) >= size / MOST_BYTES_PER_SECOND
