"""Waiting, in virtual time: until all are healthy at once, without hammering, and not for ever."""

import io
from collections.abc import Callable, Sequence
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health.cli.arguments import Wanted
from asgi_health.cli.probe import Outcome
from asgi_health.cli.target import parse_url
from asgi_health.cli.wait import LONGEST_PAUSE, Progress, RealWorld, wait_in

Answers = Callable[[str, float], str]
"""(URL, seconds since the beginning) -> why it is not healthy, empty when it is."""


class World:
    """A clock that only sleeping and asking move on."""

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

    def ask(self, round: Sequence[Wanted]) -> list[Outcome]:
        began = self.time - 1000.0
        self.rounds.append(began)
        assert all(0 < each.timeout <= 2.0 for each in round)
        self.time += min(self._cost, *(each.timeout for each in round))
        told = [self._answers(each.target.shown, began) for each in round]
        return [Outcome(healthy=not why, why=why) for why in told]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def waited(world: World, *urls: str, seconds: float = 60.0, stream: io.StringIO | None = None) -> tuple[int, list[str]]:
    out = stream or io.StringIO()
    code = wait_in(world, [Wanted(parse_url(url)) for url in urls], seconds, Progress(out))
    return code, [line.removeprefix("python -m asgi_health wait: ") for line in out.getvalue().splitlines()]


def healthy_from(moments: dict[str, float]) -> Answers:
    return lambda url, now: "" if now >= moments[url] else "connection refused"


A, B = "http://a/", "http://b/"


def test_what_is_ready_is_not_asked_twice() -> None:
    world = World(healthy_from({A: 0.0, B: 0.0}))
    assert waited(world, A, B) == (0, ["ready after 0.0 s"])
    assert world.rounds == [0.0]


def test_it_ends_when_the_last_is_ready_and_tells_each_change_once() -> None:
    world = World(healthy_from({A: 3.0, B: 20.0}))
    code, lines = waited(world, A, B)
    assert code == 0
    assert lines[:3] == ["http://a/: connection refused", "http://b/: connection refused", "http://a/: ready"]
    assert lines[3:] == [f"ready after {world.rounds[-1] + 0.01:.1f} s"]
    assert 20.0 <= world.rounds[-1] <= 20.0 + LONGEST_PAUSE + 0.01


def test_one_that_was_ready_and_is_not_any_more_is_waited_for_again() -> None:
    def answers(url: str, now: float) -> str:
        if url == A:
            return "" if now < 5 or now > 12 else "answered 503"
        return "" if now > 8 else "connection refused"

    world = World(answers)
    code, lines = waited(world, A, B)
    assert code == 0
    assert world.rounds[-1] > 12
    assert "http://a/: answered 503" in lines


def test_who_is_not_ready_in_time_is_told_with_the_reason() -> None:
    world = World(healthy_from({A: 0.0, B: 100.0}))
    code, lines = waited(world, A, B, seconds=10.0)
    assert (code, lines[-1]) == (1, "not ready after 9.8 s: http://b/: connection refused")
    assert not any("not ready" in line and A in line for line in lines)
    assert world.time - 1000.0 <= 10.0


@given(st.floats(0.01, 100.0), st.floats(0.0, 3.0))
def test_it_never_takes_longer_than_it_may_and_never_hammers(seconds: float, cost: float) -> None:
    world = World(lambda *_: "connection refused", cost)
    code, _ = waited(world, A, seconds=seconds)
    assert code == 1
    assert world.time - 1000.0 <= seconds + 1e-6
    pauses = [later - earlier for earlier, later in zip(world.rounds, world.rounds[1:], strict=False)]
    assert len(world.rounds) <= 10 + seconds
    assert all(pause <= LONGEST_PAUSE + min(cost, 2.0) + 1e-6 for pause in pauses)


@given(st.floats(1.0, 50.0))
def test_readiness_is_seen_within_a_second_or_so(moment: float) -> None:
    world = World(healthy_from({A: moment}))
    assert waited(world, A)[0] == 0
    assert world.time - 1000.0 <= moment + LONGEST_PAUSE + 0.1


def test_on_a_terminal_the_line_is_rewritten_in_place() -> None:
    out = Terminal()
    code, _ = waited(World(healthy_from({A: 1.0, B: 2.0})), A, B, stream=out)
    assert code == 0
    assert out.getvalue().count("\n") == 1
    first, *rest = out.getvalue().split("\r\x1b[2K")[1:]
    assert first == "0 s, waiting for http://a/: connection refused (+1 more)"
    assert "1 s, waiting for http://b/: connection refused" in rest
    assert rest[-1].startswith("python -m asgi_health wait: ready after ")


def test_a_line_is_never_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asgi_health.cli.wait._columns", lambda: 40)
    out = Terminal()
    waited(World(healthy_from({f"http://{'a' * 60}/": 3.0})), f"http://{'a' * 60}/", stream=out)
    assert all(len(part) < 40 for part in out.getvalue().split("\r\x1b[2K")[:-1])


def test_a_reader_of_the_progress_that_goes_away_changes_nothing() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    assert waited(World(healthy_from({A: 5.0})), A, stream=Broken()) == (0, [])


def test_where_no_thread_can_be_started_nobody_is_taken_for_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", refuse)
    (outcome,) = RealWorld().ask([Wanted(parse_url(A))])
    assert (outcome.healthy, outcome.why) == (False, "can't start new thread")
