"""What the tests of the core share: strategies for checks and results, and an Engine in small steps."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Unpack

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from asgi_health import (
    Check,
    CheckTransition,
    Probe,
    ProbeTransition,
    Result,
    Status,
    Transition,
    degraded,
    healthy,
    unhealthy,
)
from asgi_health.core.engine import Engine
from asgi_health.core.normalize_checks import CheckOptions
from asgi_health.core.schedule import Run
from asgi_health.core.status import CHECK_PROBES

# The duration of an example says more about the machine than about the code.
no_deadline = settings(deadline=None)

LIFESPAN = object()
"""The identity of a lifespan, for tests that need one."""

RESULTS = {Status.HEALTHY: healthy(), Status.DEGRADED: degraded("slow"), Status.UNHEALTHY: unhealthy("down")}

statuses = st.sampled_from(Status)
results = statuses.map(RESULTS.__getitem__)
probe_sets = st.lists(st.sampled_from(CHECK_PROBES), min_size=1, max_size=3, unique=True).map(tuple)


class ProbeChange(NamedTuple):
    """A change of a probe's status, with what a ProbeHistory reads of it."""

    old: Status | None
    new: Status
    cause: str
    checks: tuple[str, ...]
    at: float


@contextmanager
def refused(kind: type[Exception], subject: str, found: str, *expected: str) -> Iterator[None]:
    """Expect an error that begins with its subject, and says what was found and what was expected."""
    with pytest.raises(kind) as caught:
        yield
    message = str(caught.value)
    assert message.startswith(subject)
    rest = message.removeprefix(subject)
    assert found in rest
    assert all(word in rest for word in expected)


def passing() -> None:
    """Stand in for a check function that is never called."""


def check(name: str = "a", run: Callable[[], object] = passing, **options: Unpack[CheckOptions]) -> Check:
    """Return a Check with `options`, and the defaults for the rest."""
    return Check(name, run, **options)


def checks(name: str = "a") -> st.SearchStrategy[Check]:
    """Return checks with every kind of configuration; their seconds are quarters, so that moments often coincide."""
    quarters = st.integers(1, 40).map(lambda n: n / 4)
    return st.builds(
        Check,
        st.just(name),
        st.just(passing),
        probes=probe_sets,
        critical=st.booleans(),
        interval=quarters,
        retry_interval=quarters,
        timeout=quarters,
        failure_threshold=st.integers(1, 4),
        success_threshold=st.integers(1, 3),
        max_age=st.none() | st.just(22.0),  # longer than the longest interval with jitter and timeout
    )


def no_clock() -> float:
    """Fail: the engine takes `now` as an argument and never reads its clock."""
    raise AssertionError("the engine has read its clock")


def new_engine(
    *checks: Check, clock: Callable[[], float] = no_clock, random: Callable[[], float] = lambda: 0.5
) -> Engine:
    """Return an Engine with `checks`, before its first lifespan; by default its pauses have no jitter."""
    engine = Engine(clock, random)
    for each in checks:
        engine.add(each, 0.0)
    return engine


def serving_engine(*checks: Check) -> Engine:
    """Return an Engine of an app that has started."""
    engine = new_engine(*checks)
    engine.serve(0.0)
    return engine


def start_run(engine: Engine, now: float) -> Run:
    """Start the one run that is due."""
    (run,) = engine.due(now).start
    return run


def run_check(engine: Engine, result: Result, now: float) -> None:
    """Run the one check that is due, in no time."""
    engine.record(start_run(engine, now), result, now)


def check_status(engine: Engine, name: str = "a", now: float = 0.0) -> Status | None:
    """Return the status of a check itself, after its thresholds."""
    return engine.report_check(name, Probe.HEALTH, now).checks[0].state.status


def check_transitions(engine: Engine) -> list[CheckTransition]:
    """Return the list to which the later transitions of checks are appended."""
    received: list[CheckTransition] = []

    def receive(transition: Transition) -> None:
        if isinstance(transition, CheckTransition):
            received.append(transition)

    engine.on_transition(receive)
    return received


@dataclass
class Replay:
    """The status of each check and each probe."""

    checks: dict[str, Status]
    probes: dict[Probe, Status]


def replayed(engine: Engine) -> Replay:
    """Return the present statuses, as the last transitions have left them."""
    states = {each.name: check_status(engine, each.name) for each in engine.checks}
    checks = {name: status for name, status in states.items() if status is not None}
    return Replay(checks, {probe: engine.known(probe).status for probe in Probe})


def replay(before: Replay, transitions: Iterable[Transition]) -> None:
    """Apply each transition to `before`; fail where one does not begin where the last one ended."""
    for each in transitions:
        assert each.since <= each.at
        if isinstance(each, ProbeTransition):
            assert before.probes[each.probe] is each.old
            before.probes[each.probe] = each.new
            continue
        assert before.checks.get(each.name) is each.old
        assert each.new is not each.old
        if each.new is None:
            del before.checks[each.name]
        else:
            before.checks[each.name] = each.new
