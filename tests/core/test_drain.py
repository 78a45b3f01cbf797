"""What a Drain may be, and what draining is: for good, or for as long as somebody says so."""

from pathlib import Path
from typing import Any

import pytest

from asgi_health import Drain, Health, Probe, Status, healthy
from asgi_health.core.lifecycle import Phase

from ..support.core_cases import check, finish, serving, still


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def draining() -> tuple[Health, Clock]:
    clock = Clock()
    health = Health([check("a")], clock=clock, random=lambda: 0.5)
    health.begin()
    health.serve()
    finish(health, healthy(), 0.0)
    return health, clock


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"delay": -1.0}, ValueError, ["delay", "-1.0"]),
        ({"delay": float("nan")}, ValueError, ["delay"]),
        ({"delay": "5"}, TypeError, ["delay", "'5'"]),
        ({"delay": False}, TypeError, ["delay", "False"]),
        ({"delay": 0}, ValueError, ["nothing to do"]),
        ({"delay": 5000}, ValueError, ["delay", "at most 300 s", "5000 ms would be 5"]),
        ({"delay": 300.1, "file": "/a"}, ValueError, ["delay", "at most 300 s", "the unit is seconds"]),
        ({"file": 7}, TypeError, ["file", "7"]),
        ({"file": ""}, ValueError, ["file"]),
        ({"path": "drain", "allow": True}, ValueError, ["path", "'drain'"]),
        ({"path": "/", "allow": True}, ValueError, ["path"]),
        ({"path": "/drain?now", "allow": True}, ValueError, ["path"]),
        ({"path": b"/drain", "allow": True}, TypeError, ["path"]),
        ({"path": "/drain"}, ValueError, ["'/drain'", "allow"]),
        ({"allow": True}, ValueError, ["allow", "no path"]),
    ],
)
def test_what_could_not_work_is_refused_in_words(options: Any, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as raised:
        Drain(**options)
    assert [word for word in ["drain", *words] if word not in str(raised.value)] == []


def test_a_delay_of_zero_leaves_signals_alone_and_needs_another_reason_to_drain(tmp_path: Path) -> None:
    assert Drain(delay=0, file=tmp_path / "draining").delay == 0


def test_a_drain_turns_readiness_and_everything_and_nothing_else() -> None:
    health, _ = draining()
    health.drain()
    stands = {probe: health.outlook(probe).at(0.0) for probe in (*Probe, None)}
    bad = {Probe.READINESS, None}
    assert stands == {probe: Status.UNHEALTHY if probe in bad else Status.HEALTHY for probe in (*Probe, None)}


def test_what_is_held_is_ready_again_when_it_is_let_go() -> None:
    health, _ = draining()
    health.hold(True)
    assert (health.phase, health.outlook(Probe.READINESS).at(0.0)) == (Phase.DRAINING, Status.UNHEALTHY)
    health.hold(False)
    assert (health.phase, health.outlook(Probe.READINESS).at(0.0)) == (Phase.SERVING, Status.HEALTHY)


def test_letting_go_takes_no_drain_back() -> None:
    health, _ = draining()
    health.hold(True)
    health.drain()
    health.hold(False)
    assert health.phase is Phase.DRAINING


@pytest.mark.parametrize("first", ["hold", "drain"])
def test_a_drain_began_with_the_first_reason_for_it(first: str) -> None:
    health, clock = draining()
    clock.now = 10.0
    health.hold(True) if first == "hold" else health.drain()
    clock.now = 12.0
    health.drain()
    health.hold(True)
    assert health.phase_since == 10.0


def test_a_second_reason_after_the_first_is_gone_begins_anew() -> None:
    health, clock = draining()
    clock.now = 10.0
    health.hold(True)
    health.hold(False)
    clock.now = 20.0
    health.drain()
    assert health.phase_since == 20.0


def test_each_phase_knows_when_it_began() -> None:
    clock = Clock()
    health = Health(clock=clock, random=lambda: 0.5)
    assert health.phase_since is None
    seen: list[tuple[Phase, float | None]] = []
    for now, step in enumerate(("begin", "serve", "drain", "stop")):
        clock.now = float(now)
        getattr(health, step)()
        seen.append((health.phase, health.phase_since))
    assert seen == [(Phase.STARTING, 0.0), (Phase.SERVING, 1.0), (Phase.DRAINING, 2.0), (Phase.STOPPED, 3.0)]


def test_a_held_app_that_starts_again_is_held_still() -> None:
    """The file is there as before; that nobody let go of it in between is no news."""
    health = Health(**still())
    health.begin("one")
    health.hold(True)
    health.stop()
    health.end("one")
    health.begin("two")
    health.serve()
    assert health.phase is Phase.DRAINING


def test_stalls_are_counted_and_a_new_life_has_none() -> None:
    health = serving(check("a"))
    version = health.version
    health.stalled(1.5)
    health.stalled(4.0)
    health.stalled(2.0)
    stalls = health.report(now=0.0).stalls
    assert (stalls.count, stalls.longest) == (3, 4.0)
    assert health.version != version
    health.stop()
    health.end()
    health.begin()
    assert health.report(now=0.0).stalls.count == 0
