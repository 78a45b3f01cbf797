"""Any method from any thread, and a drain from a signal handler at the worst moment."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count

import pytest

from asgi_health import Health, Probe, Status, healthy, unhealthy
from asgi_health.core.aggregate import Outlook
from asgi_health.core.lifecycle import Phase

from ..support.core_cases import PROBES, check, finish, serving, start, still


def at_once(*jobs: Callable[[], object]) -> None:
    """Run the jobs in threads that begin together. Raises what one of them raised."""
    gate = threading.Barrier(len(jobs))
    errors: list[BaseException] = []

    def work(job: Callable[[], object]) -> None:
        gate.wait()
        try:
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_checks_added_from_many_threads_are_all_there() -> None:
    health = serving()

    def add(worker: int) -> None:
        for n in range(50):
            health.add(check(f"{worker}-{n}"))

    at_once(*(partial(add, worker) for worker in range(8)))
    expected = {f"{worker}-{n}" for worker in range(8) for n in range(50)}
    assert {each.name for each in health.checks} == expected
    orders = health.due(0.0)
    assert {run.check.name for run in orders.start} == expected
    for run in orders.start:
        health.record(run, healthy(), 0.0)
    assert health.outlook(Probe.READINESS).at(0.0) is Status.HEALTHY


def test_of_many_threads_that_add_one_name_exactly_one_wins() -> None:
    health = serving()
    lost: list[ValueError] = []

    def add() -> None:
        try:
            health.add(check("a"))
        except ValueError as error:
            lost.append(error)

    at_once(*[add] * 8)
    assert (len(health.checks), len(lost)) == (1, 7)


def test_two_runners_never_start_the_same_run() -> None:
    health = serving(*(check(f"c{n}") for n in range(300)))
    started: list[str] = []

    def take() -> None:
        while orders := health.due(0.0, at_most=1).start:
            started.append(orders[0].check.name)

    at_once(*[take] * 4)
    assert sorted(started) == sorted(each.name for each in health.checks)


def test_everything_at_once_leaves_counts_that_are_true() -> None:
    health = serving(*(check(f"c{n}", critical=n % 2 == 0, probes=tuple(Probe)) for n in range(20)))

    def churn() -> None:
        for n in range(150):
            health.add(check(f"x{n}", probes=(Probe.READINESS,)))
            health.remove(f"x{n}")

    def run() -> None:
        for n in range(150):
            for run in health.due(n * 20.0).start:
                health.record(run, unhealthy("x") if hash((n, run.check.name)) % 3 else healthy(), n * 20.0)

    def read() -> None:
        for _ in range(300):
            for probe in PROBES:
                health.report(probe, now=0.0)
                health.outlook(probe).at(0.0)
            health.next_wake()

    at_once(churn, run, read, read)
    for probe in PROBES:
        for now in (0.0, 2980.0, 3000.0, 1e9):
            assert health.outlook(probe).at(now) is health.report(probe, now=now).status


@contextmanager
def interrupted(call: int, handler: Callable[[], object]) -> Iterator[list[str]]:
    """Call `handler` at the beginning of the `call`-th function that the body calls: where signal handlers run."""
    seen: list[str] = []

    def hook(frame: object, event: str, argument: object) -> None:
        if event == "call":
            seen.append("")
            if len(seen) == call:
                sys.setprofile(None)
                handler()
                sys.setprofile(hook)

    before = sys.getprofile()
    sys.setprofile(hook)
    try:
        yield seen
    finally:
        sys.setprofile(before)


def starting(health: Health) -> None:
    health.serve()


def adding(health: Health) -> None:
    health.add(check("b"))


def recording(health: Health) -> None:
    finish(health, healthy(), 20.0)


def missing_a_deadline(health: Health) -> None:
    start(health, 20.0)
    health.due(30.0)


def removing(health: Health) -> None:
    health.remove("a")


ACTS = [starting, adding, recording, missing_a_deadline, removing]


def ready_to(act: Callable[[Health], None]) -> Health:
    health = Health([check("a", failure_threshold=1)], **still())
    if act is not starting:
        health.serve()
        finish(health, unhealthy("x") if act in (recording, removing) else healthy(), 0.0)
    return health


class Copy:
    """Keep a copy of an outlook in the way that the docstring of `Health.version` makes possible."""

    def __init__(self, health: Health) -> None:
        self.health = health
        self.refresh()
        health.watch(self.refresh)

    def refresh(self) -> None:
        version = None
        while version != self.health.version:
            version = self.health.version
            self.outlook = self.health.outlook(Probe.READINESS)


@pytest.mark.parametrize("act", ACTS)
def test_a_signal_handler_may_drain_in_the_middle_of_anything(act: Callable[[Health], None]) -> None:
    call = 0
    for call in count(1):
        health = ready_to(act)
        copy = Copy(health)
        with interrupted(call, health.drain) as calls:
            act(health)
        if len(calls) < call:
            break
        assert health.phase is Phase.DRAINING, f"drained at call {call}"
        for probe in PROBES:
            for now in (20.0, 40.0, 100.0):
                assert health.outlook(probe).at(now) is health.report(probe, now=now).status, f"drained at call {call}"
        assert copy.outlook == health.outlook(Probe.READINESS) == Outlook(Status.UNHEALTHY), f"drained at call {call}"
    assert call > 10


@pytest.mark.parametrize("act", [*ACTS, Health.drain, Health.stop, Health.begin])
def test_a_version_that_has_not_changed_since_means_that_nothing_has(act: Callable[[Health], None]) -> None:
    # Who copies an outlook in a thread of his own reads version, outlook, version: at any moment.
    call = 0
    for call in count(1):
        health = ready_to(act)
        copied: list[tuple[int, Outlook]] = []
        with interrupted(call, lambda: copied.append((health.version, health.outlook(Probe.READINESS)))) as calls:  # noqa: B023
            act(health)
        if len(calls) < call:
            break
        version, outlook = copied[0]
        assert version != health.version or outlook == health.outlook(Probe.READINESS), f"copied at call {call}"
    assert call > 5
