"""`wait` in virtual time: it ends when all are healthy at the same time, or at its timeout, and it asks slowly."""

import io
import os
import re
from collections.abc import Callable, Sequence
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health.cli.arguments import ProbeRequest
from asgi_health.cli.probe import Outcome
from asgi_health.cli.target import parse_url
from asgi_health.cli.wait import MAX_PAUSE, Progress, SystemEnvironment, wait_in

Answers = Callable[[str, float], str]
"""(URL, seconds since the start) -> the reason why it is not healthy, empty when it is."""


class SimulatedEnvironment:
    """A clock that advances only while `wait` sleeps or sends requests."""

    def __init__(self, answers: Answers, cost: float = 0.01) -> None:
        self.time = 1000.0
        self.rounds: list[float] = []
        self._answers = answers
        self._cost = cost

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.time += seconds

    def send(self, requests: Sequence[ProbeRequest]) -> list[Outcome]:
        start = self.time - 1000.0
        self.rounds.append(start)
        assert all(0 < request.timeout <= 2.0 for request in requests)
        self.time += min(self._cost, *(request.timeout for request in requests))
        reasons = [self._answers(request.target.display_url, start) for request in requests]
        return [Outcome(healthy=not reason, reason=reason) for reason in reasons]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run_wait(
    environment: SimulatedEnvironment,
    *urls: str,
    seconds: float = 60.0,
    stream: io.StringIO | None = None,
    consecutive: int = 1,
) -> tuple[int, list[str]]:
    out = stream or io.StringIO()
    requests = [ProbeRequest(parse_url(url)) for url in urls]
    code = wait_in(environment, requests, seconds, Progress(out), consecutive)
    return code, [line.removeprefix("python -m asgi_health wait: ") for line in out.getvalue().splitlines()]


def healthy_from(moments: dict[str, float]) -> Answers:
    return lambda url, now: "" if now >= moments[url] else "connection refused"


A, B = "http://a/", "http://b/"


def test_targets_that_are_ready_at_once_are_asked_once() -> None:
    environment = SimulatedEnvironment(healthy_from({A: 0.0, B: 0.0}))
    assert run_wait(environment, A, B) == (0, ["ready after 0.0 s"])
    assert environment.rounds == [0.0]


def test_wait_ends_when_the_last_target_is_ready_and_prints_each_change_once() -> None:
    environment = SimulatedEnvironment(healthy_from({A: 3.0, B: 20.0}))
    code, lines = run_wait(environment, A, B)
    assert code == 0
    assert lines[:3] == ["http://a/: connection refused", "http://b/: connection refused", "http://a/: ready"]
    assert lines[3:] == [f"ready after {environment.rounds[-1] + 0.01:.1f} s"]
    assert 20.0 <= environment.rounds[-1] <= 20.0 + MAX_PAUSE + 0.01


def test_a_target_that_becomes_unready_again_is_waited_for() -> None:
    def answers(url: str, now: float) -> str:
        if url == A:
            return "" if now < 5 or now > 12 else "answered 503"
        return "" if now > 8 else "connection refused"

    environment = SimulatedEnvironment(answers)
    code, lines = run_wait(environment, A, B)
    assert code == 0
    assert environment.rounds[-1] > 12
    assert "http://a/: answered 503" in lines


def test_consecutive_rounds_are_counted_from_the_last_failure() -> None:
    """Behind one port with several workers a single good answer says that one of them is ready."""
    answered = iter(["", "", "answered 503", "", "", ""])
    environment = SimulatedEnvironment(lambda *_: next(answered))
    assert run_wait(environment, A, consecutive=3)[0] == 0
    assert len(environment.rounds) == 6


def test_a_row_that_is_not_complete_in_time_is_named() -> None:
    environment = SimulatedEnvironment(healthy_from({A: 8.0}))
    code, lines = run_wait(environment, A, seconds=10.0, consecutive=50)
    assert code == 1
    assert re.fullmatch(r"not ready after 9.8 s: http://a/: ready \d of 50 times in a row", lines[-1])


def test_each_target_that_is_not_ready_in_time_is_named_with_its_reason() -> None:
    environment = SimulatedEnvironment(healthy_from({A: 0.0, B: 100.0}))
    code, lines = run_wait(environment, A, B, seconds=10.0)
    assert (code, lines[-1]) == (1, "not ready after 9.8 s: http://b/: connection refused")
    assert not any("not ready" in line and A in line for line in lines)
    assert environment.time - 1000.0 <= 10.0


@given(st.floats(0.01, 100.0), st.floats(0.0, 3.0))
def test_wait_never_exceeds_its_timeout_and_never_asks_fast(seconds: float, cost: float) -> None:
    environment = SimulatedEnvironment(lambda *_: "connection refused", cost)
    code, _ = run_wait(environment, A, seconds=seconds)
    assert code == 1
    assert environment.time - 1000.0 <= seconds + 1e-6
    pauses = [later - earlier for earlier, later in zip(environment.rounds, environment.rounds[1:], strict=False)]
    assert len(environment.rounds) <= 10 + seconds
    assert all(pause <= MAX_PAUSE + min(cost, 2.0) + 1e-6 for pause in pauses)


@given(st.floats(1.0, 50.0))
def test_readiness_is_noticed_within_1_1_seconds(moment: float) -> None:
    environment = SimulatedEnvironment(healthy_from({A: moment}))
    assert run_wait(environment, A)[0] == 0
    assert environment.time - 1000.0 <= moment + MAX_PAUSE + 0.1


def test_on_a_terminal_the_line_is_rewritten_in_place() -> None:
    out = Terminal()
    code, _ = run_wait(SimulatedEnvironment(healthy_from({A: 1.0, B: 2.0})), A, B, stream=out)
    assert code == 0
    assert out.getvalue().count("\n") == 1
    first, *rest = out.getvalue().split("\r\x1b[2K")[1:]
    assert first == "0 s, waiting for http://a/: connection refused (+1 more)"
    assert "1 s, waiting for http://b/: connection refused" in rest
    assert rest[-1].startswith("python -m asgi_health wait: ready after ")


def test_a_line_is_never_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((40, 24)))
    out = Terminal()
    run_wait(SimulatedEnvironment(healthy_from({f"http://{'a' * 60}/": 3.0})), f"http://{'a' * 60}/", stream=out)
    assert all(len(part) < 40 for part in out.getvalue().split("\r\x1b[2K")[:-1])


def test_a_closed_stderr_does_not_change_the_exit_code() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    assert run_wait(SimulatedEnvironment(healthy_from({A: 5.0})), A, stream=Broken()) == (0, [])


def test_if_no_thread_can_be_started_the_target_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", refuse)
    (outcome,) = SystemEnvironment().send([ProbeRequest(parse_url(A))])
    assert (outcome.healthy, outcome.reason) == (False, "can't start new thread")
