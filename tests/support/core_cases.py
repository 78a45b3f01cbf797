"""What the tests of the core have in common: checks and results out of nowhere, and a Health in small steps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypedDict, Unpack

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from asgi_health import Check, Health, Probe, Result, Status, degraded, healthy, unhealthy
from asgi_health.core.check_slot import CheckOptions
from asgi_health.core.schedule import Run

# No deadline: how long an example takes says more about the machine than about the code.
patient = settings(deadline=None)

PROBES: tuple[Probe | None, ...] = (Probe.LIVENESS, Probe.READINESS, Probe.STARTUP, None)

RESULTS = {Status.HEALTHY: healthy(), Status.DEGRADED: degraded("slow"), Status.UNHEALTHY: unhealthy("down")}

statuses = st.sampled_from(Status)
results = statuses.map(RESULTS.__getitem__)
probe_sets = st.lists(st.sampled_from(Probe), min_size=1, max_size=3, unique=True).map(tuple)


@contextmanager
def refused(kind: type[Exception], subject: str, found: str, *expected: str) -> Iterator[None]:
    """Expect an error that names its subject first, then what was expected and what was found."""
    with pytest.raises(kind) as caught:
        yield
    message = str(caught.value)
    assert message.startswith(subject)
    told = message.removeprefix(subject)
    assert found in told
    assert all(word in told for word in expected)


def passing() -> None:
    """Stand in for a check function where nobody calls it."""


def check(name: str = "a", run: Callable[[], object] = passing, **options: Unpack[CheckOptions]) -> Check:
    """Return a Check of which only what matters needs to be said."""
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


class Clock(TypedDict):
    """What makes a Health predictable."""

    clock: Callable[[], float]
    random: Callable[[], float]


def still(at: float = 0.0) -> Clock:
    """Return a clock that stands at `at`, and pauses without jitter."""
    return {"clock": lambda: at, "random": lambda: 0.5}


def serving(*checks: Check) -> Health:
    """Return a Health of an app that has started."""
    health = Health(checks, **still())
    health.serve()
    return health


def start(health: Health, now: float) -> Run:
    """Start the one run that is due."""
    (run,) = health.due(now).start
    return run


def finish(health: Health, result: Result, now: float) -> None:
    """Run the one check that is due, in no time."""
    health.record(start(health, now), result, now)


def standing(health: Health, name: str = "a", now: float = 0.0) -> Status | None:
    """Return the status of a check itself, after its thresholds."""
    return health.report_check(name, now=now).checks[0].state.status
