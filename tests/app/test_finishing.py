"""What is left of a job, done beside the next one."""

import logging
import threading

import pytest

from app.logs import begin_work, present_request_id
from app.worker.finishing import Finisher


def test_one_thing_at_a_time_in_the_context_of_its_caller() -> None:
    finisher, go_on = Finisher(), threading.Event()
    seen: list[str | None] = []

    def work() -> None:
        go_on.wait()
        seen.append(present_request_id())

    begin_work(request_id="first")
    finisher.submit(work)
    begin_work(request_id="second")
    assert seen == []  # nobody waited
    second = threading.Thread(target=finisher.submit, args=(lambda: seen.append("second"),))
    second.start()
    second.join(0.1)
    assert second.is_alive()  # there is room for one
    go_on.set()
    second.join()
    finisher.wait()
    assert seen == ["first", "second"]


def test_an_error_is_logged_and_concerns_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    finisher, done = Finisher(), threading.Event()

    def fail() -> None:
        raise ValueError("no room")

    with caplog.at_level(logging.ERROR):
        finisher.submit(fail)
        finisher.submit(done.set)
        finisher.wait()
    assert done.is_set()
    assert "ValueError: no room" in caplog.text
