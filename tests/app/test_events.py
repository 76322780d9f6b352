"""Progress: streamed, resumable, and right even where Redis has forgotten it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.events import is_terminal, last_event
from tests.app.service import Service, finished, running, short_folder, upload, wait_for

Event = dict[str, Any]


def follow(client: httpx.Client, job: Event, *, last_id: str | None = None) -> Iterator[Event]:
    """The events of a job as an EventSource would see them, until the stream ends."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    with client.stream("GET", job["links"]["events"], headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        event: Event = {}
        for line in answer.iter_lines():
            if not line and event:
                yield event | {"data": json.loads(event["data"])}
                event = {}
            elif line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                event[name] = value


def finished_and_told(client: httpx.Client, service: Service, job: Event) -> Event:
    """The job once its end stands in Redis, too, where it comes a moment after the table."""
    ended = finished(client, job)
    with service.redis() as redis:
        wait_for(lambda: is_terminal(last_event(redis, job["id"]) or {"status": None}), what="the last event")
    return ended


def test_a_job_is_followed_to_its_end(client: httpx.Client, tune: bytes) -> None:
    job = upload(client, tune)
    events = list(follow(client, job))
    assert [event["event"] for event in events] == ["progress"] * (len(events) - 1) + ["finished"]
    assert {event["data"]["id"] for event in events} == {job["id"]}
    assert events[-1]["data"]["status"] == "succeeded"
    assert events[-1]["data"]["progress"]["percent"] == 100
    done = [event["data"]["progress"]["seconds_done"] for event in events if event["data"]["status"] != "queued"]
    assert done == sorted(done)


def test_a_stream_goes_on_where_it_was_cut(client: httpx.Client, service: Service, tune: bytes) -> None:
    job = finished_and_told(client, service, upload(client, tune))
    events = list(follow(client, job, last_id="0-0"))
    assert len(events) > 2
    assert list(follow(client, job, last_id=events[0]["id"])) == events[1:]
    again = client.get(job["links"]["events"], headers={"Last-Event-ID": events[-1]["id"]})
    assert (again.status_code, again.content) == (204, b"")


def test_a_newcomer_gets_the_end_at_once(client: httpx.Client, tune_job: Event) -> None:
    (event,) = follow(client, tune_job)
    assert event["event"] == "finished"
    assert event["data"]["status"] == "succeeded"


@pytest.mark.parametrize("last_id", ["nonsense", "-", "1-2-3", "99999999999999999999999-0", "é"])
def test_a_wrong_id_is_a_newcomer(client: httpx.Client, tune_job: Event, last_id: str) -> None:
    headers = {"Last-Event-ID": last_id.encode()}
    answer = client.get(tune_job["links"]["events"], headers=headers)
    assert answer.status_code == 200
    assert "event: finished" in answer.text


def test_whoever_is_ahead_of_the_stream_is_told_the_end(client: httpx.Client, tune_job: Event) -> None:
    """As after a Redis that came back with its clock behind."""
    (event,) = follow(client, tune_job, last_id="9999999999999-0")
    assert event["event"] == "finished"


def test_a_failure_is_told(client: httpx.Client) -> None:
    events = list(follow(client, upload(client, b"this is no music", "x.mp3")))
    assert events[-1]["data"]["status"] == "failed"
    assert events[-1]["data"]["error"]["code"] == "unsupported_format"


def test_a_cancellation_is_told(idle: httpx.Client) -> None:
    job = upload(idle, b"x")
    stream = follow(idle, job)
    assert next(stream)["data"]["progress"]["queue_position"] >= 1
    with httpx.Client(base_url=idle.base_url, timeout=60) as other:
        assert other.delete(job["links"]["self"]).status_code == 204
    events = list(stream)
    assert [event["data"]["status"] for event in events] == ["cancelled"]


def test_the_end_is_told_although_redis_forgot(client: httpx.Client, service: Service, tune: bytes) -> None:
    job = finished_and_told(client, service, upload(client, tune))
    with service.redis() as redis:
        redis.delete(*redis.keys(f"amt:job:{job['id']}:*"))
    (event,) = follow(client, job)
    assert (event["id"], event["data"]["status"]) == ("end", "succeeded")
    assert client.get(job["links"]["events"], headers={"Last-Event-ID": "end"}).status_code == 204


def test_a_waiting_stream_survives_the_loss_of_redis() -> None:
    """Redis dies under an open stream; the job table still knows how the job ended, and GET goes on."""
    folder = short_folder()
    with running(Service(folder / "var")) as service, service.client() as client:
        job = upload(client, b"no music")
        finished(client, job)
        with service.redis() as redis:
            redis.shutdown(nosave=True)
        assert client.get(job["links"]["self"]).json()["status"] == "failed"
        assert [event["data"]["status"] for event in follow(client, job)] == ["failed"]
        waiting = upload(client, b"no music either")
        assert finished(client, waiting)["error"]["code"] == "unsupported_format"
