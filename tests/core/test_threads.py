"""Every method from any thread, and a drain from a signal handler that interrupts any of them."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count

import pytest

from asgi_health import Probe, Status, Transition, healthy, unhealthy
from asgi_health.core.aggregate import ProbeStatus
from asgi_health.core.engine import Engine
from asgi_health.core.lifecycle import Phase
from asgi_health.core.probe_statuses import Statuses
from asgi_health.core.status import CHECK_PROBES

from ..support.core_cases import (
    LIFESPAN,
    check,
    new_engine,
    replay,
    replayed,
    run_check,
    serving_engine,
    start_run,
)


def run_together(*jobs: Callable[[], object]) -> None:
    """Run the jobs in threads that begin together. Raises the first exception of a job."""
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
def frequent_thread_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_checks_added_from_many_threads_are_all_kept() -> None:
    engine = serving_engine()

    def add(worker: int) -> None:
        for n in range(50):
            engine.add(check(f"{worker}-{n}"), 0.0)

    run_together(*(partial(add, worker) for worker in range(8)))
    expected = {f"{worker}-{n}" for worker in range(8) for n in range(50)}
    assert {each.name for each in engine.checks} == expected
    due = engine.due(0.0)
    assert {run.check.name for run in due.start} == expected
    for run in due.start:
        engine.record(run, healthy(), 0.0)
    assert engine.probe_status(Probe.READINESS).at(0.0) is Status.HEALTHY


def test_of_many_threads_that_add_one_name_exactly_one_succeeds() -> None:
    engine = serving_engine()
    refused: list[ValueError] = []

    def add() -> None:
        try:
            engine.add(check("a"), 0.0)
        except ValueError as error:
            refused.append(error)

    run_together(*[add] * 8)
    assert (len(engine.checks), len(refused)) == (1, 7)


def test_two_runners_never_start_the_same_run() -> None:
    engine = serving_engine(*(check(f"c{n}") for n in range(300)))
    started: list[str] = []

    def start_due() -> None:
        while runs := engine.due(0.0, at_most=1).start:
            started.append(runs[0].check.name)

    run_together(*[start_due] * 4)
    assert sorted(started) == sorted(each.name for each in engine.checks)


def test_all_methods_at_once_leave_statuses_that_equal_a_count_of_the_checks() -> None:
    engine = serving_engine(*(check(f"c{n}", critical=n % 2 == 0, probes=CHECK_PROBES) for n in range(20)))

    def add_and_remove() -> None:
        for n in range(150):
            engine.add(check(f"x{n}", probes=(Probe.READINESS,)), 0.0)
            engine.remove(f"x{n}", 0.0)

    def run() -> None:
        for n in range(150):
            for run in engine.due(n * 20.0).start:
                engine.record(run, unhealthy("x") if hash((n, run.check.name)) % 3 else healthy(), n * 20.0)

    def read() -> None:
        for _ in range(300):
            for probe in Probe:
                engine.report(probe, now=0.0)
                engine.probe_status(probe).at(0.0)
            engine.next_wake()

    run_together(add_and_remove, run, read, read)
    for probe in Probe:
        for now in (0.0, 2980.0, 3000.0, 1e9):
            assert engine.probe_status(probe).at(now) is engine.report(probe, now=now).status


@contextmanager
def interrupted(call: int, handler: Callable[[], object]) -> Iterator[list[str]]:
    """Call `handler` at the beginning of the `call`-th function that the body calls: a signal handler may run there."""
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


def starting(engine: Engine) -> None:
    engine.serve(0.0)


def adding(engine: Engine) -> None:
    engine.add(check("b"), 0.0)


def recording(engine: Engine) -> None:
    run_check(engine, healthy(), 20.0)


def missing_a_deadline(engine: Engine) -> None:
    start_run(engine, 20.0)
    engine.due(30.0)


def removing(engine: Engine) -> None:
    engine.remove("a", 0.0)


def draining(engine: Engine) -> None:
    engine.drain(20.0)


def stopping(engine: Engine) -> None:
    engine.stop(20.0)


def beginning_a_lifespan(engine: Engine) -> None:
    engine.start(LIFESPAN, 20.0)


Operation = Callable[[Engine], None]
OPERATIONS = [starting, adding, recording, missing_a_deadline, removing]


def ready_for(operation: Operation) -> Engine:
    engine = new_engine(check("a", failure_threshold=1))
    if operation is not starting:
        engine.serve(0.0)
        run_check(engine, unhealthy("x") if operation in (recording, removing) else healthy(), 0.0)
    return engine


def append(received: list[Transition], transition: Transition) -> None:
    received.append(transition)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_signal_handler_may_drain_in_the_middle_of_any_operation(operation: Operation) -> None:
    call = 0
    for call in count(1):
        engine = ready_for(operation)
        received: list[Statuses] = []
        transitions: tuple[list[Transition], list[Transition]] = ([], [])

        # Functions of Python, so that the handler can interrupt them too.
        def on_change(statuses: Statuses, received: list[Statuses] = received) -> None:
            received.append(statuses)

        engine.on_change(on_change)
        for each in transitions:
            engine.on_transition(partial(append, each))
        before = replayed(engine)
        with interrupted(call, partial(engine.drain, 20.0)) as calls:
            operation(engine)
        if len(calls) < call:
            break
        place = f"drained at call {call}"
        assert engine.phase is Phase.DRAINING, place
        for probe in Probe:
            for now in (20.0, 40.0, 100.0):
                assert engine.probe_status(probe).at(now) is engine.report(probe, now).status, place
        assert engine.probe_status(Probe.READINESS) == ProbeStatus(Status.UNHEALTHY, reason="draining"), place
        assert received[-1] == {probe: engine.probe_status(probe) for probe in Probe}, place
        assert transitions[0] == transitions[1], place
        replay(before, transitions[0])
        assert before == replayed(engine), place
        assert engine.known(Probe.READINESS).reason == engine.known(Probe.HEALTH).reason == "draining", place
    assert call > 10


@pytest.mark.parametrize("operation", [*OPERATIONS, draining, stopping, beginning_a_lifespan])
def test_the_version_is_the_same_only_where_the_statuses_are(operation: Operation) -> None:
    # Another thread may read the version, then a status, then the version again, at any moment.
    call = 0
    for call in count(1):
        engine = ready_for(operation)
        seen: list[tuple[int, ProbeStatus]] = []

        def read(engine: Engine = engine, seen: list[tuple[int, ProbeStatus]] = seen) -> None:
            seen.append((engine.version, engine.probe_status(Probe.READINESS)))

        with interrupted(call, read) as calls:
            operation(engine)
        if len(calls) < call:
            break
        version, status = seen[0]
        assert version != engine.version or status == engine.probe_status(Probe.READINESS), f"read at call {call}"
    assert call > 5
