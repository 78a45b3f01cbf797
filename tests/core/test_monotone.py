"""A worse result, a lost one, a late one or a longer wait never gives a better status."""

from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asgi_health import Check, Probe, Result, Status, healthy, unhealthy
from asgi_health.core.aggregate import is_finished
from asgi_health.core.report import build_report
from asgi_health.core.state import UNKNOWN, advance

from ..support.core_cases import RESULTS, checks, no_deadline, run_check, serving_engine, start_run, statuses

UNHEALTHY = Status.UNHEALTHY

thorough = settings(no_deadline, max_examples=200)

History = list[tuple[float, Status]]

steps = st.lists(st.tuples(st.integers(1, 60).map(lambda n: n / 4), statuses), min_size=1, max_size=12)
waits = st.integers(0, 120).map(lambda n: n / 4)


def moments(steps: History) -> History:
    """Return the history with moments in the place of pauses."""
    now = 0.0
    history: History = []
    for wait, status in steps:
        now += wait
        history.append((now, status))
    return history


def outcomes(subject: Check, history: History, now: float) -> dict[Probe, Status]:
    """Return the status of each probe at `now`. Results after the end of a startup check are left out: it has none."""
    state = UNKNOWN
    for moment, status in history:
        if not is_finished(subject, state):
            state = advance(subject, state, RESULTS[status], moment, 0.0)
    return {
        probe: build_report(
            probe,
            [(subject, state, None)] if probe is Probe.HEALTH or probe in subject.probes else [],
            phase=None,
            app_started=True,
            startup_passed=True,
            exclude=frozenset(),
            now=now,
        ).status
        for probe in Probe
    }


def no_better(worse: dict[Probe, Status], than: dict[Probe, Status]) -> bool:
    return all(worse[probe] >= than[probe] for probe in Probe)


@thorough
@given(checks(), steps, st.data(), waits)
def test_a_worse_result_never_gives_a_better_status(
    subject: Check, chosen: History, data: st.DataObject, wait: float
) -> None:
    history = moments(chosen)
    now = history[-1][0] + wait
    index = data.draw(st.integers(0, len(history) - 1))
    moment, status = history[index]
    worse = data.draw(st.sampled_from([each for each in Status if each >= status]))
    changed = [*history[:index], (moment, worse), *history[index + 1 :]]
    before, after = outcomes(subject, history, now), outcomes(subject, changed, now)
    assert all(after[probe] is UNHEALTHY for probe in Probe if before[probe] is UNHEALTHY)
    # A degraded result shows at once and a failure below its threshold does not: in its place, a failure may hide a
    # degraded status, but never an unhealthy one.
    if status is not Status.DEGRADED or subject.failure_threshold == 1:
        assert no_better(after, before)


@thorough
@given(checks(), steps, st.data(), waits)
def test_a_pass_that_never_arrives_never_gives_a_better_status(
    subject: Check, chosen: History, data: st.DataObject, wait: float
) -> None:
    # Passes alone: without a degraded result or a failure, the status is better.
    history = moments(chosen)
    passes = [index for index, (_, status) in enumerate(history) if status is Status.HEALTHY]
    assume(passes)
    now = history[-1][0] + wait
    index = data.draw(st.sampled_from(passes))
    changed = [*history[:index], *history[index + 1 :]]
    assert no_better(outcomes(subject, changed, now), outcomes(subject, history, now))


@thorough
@given(checks(), steps, waits, waits)
def test_waiting_never_gives_a_better_status(subject: Check, chosen: History, one: float, other: float) -> None:
    history = moments(chosen)
    early, late = sorted((one, other))
    last = history[-1][0]
    assert no_better(outcomes(subject, history, last + late), outcomes(subject, history, last + early))


@thorough
@given(checks(), st.lists(statuses, max_size=6), statuses, st.integers(0, 40).map(lambda n: n / 4))
def test_a_late_result_never_gives_a_better_status_than_one_in_time(
    subject: Check, before: list[Status], last: Status, late: float
) -> None:
    # Compared while the result in time is fresh, because the late one is fresh for longer. A degraded result shows at
    # once, and a failure may be hidden by its threshold.
    assume(subject.timeout + late < subject.stale_after)
    assume(last is not Status.DEGRADED or subject.failure_threshold == 1)
    seen: list[dict[Probe, Status]] = []
    for delay in (0.0, subject.timeout + late):
        engine = serving_engine(subject)
        now = 0.0
        for status in before:
            run_check(engine, RESULTS[status], now)
            now = engine.next_start()
            if now == float("inf"):  # a startup check that has ended
                return
        run = start_run(engine, now)
        engine.record(run, RESULTS[last], now + delay)
        end = now + subject.timeout + late
        seen.append({probe: engine.report(probe, now=end).status for probe in Probe})
    in_time, too_late = seen
    assert no_better(too_late, in_time)


@thorough
@given(st.lists(st.tuples(checks(), st.lists(statuses, max_size=4)), min_size=1, max_size=4), st.data())
def test_one_more_failing_check_never_gives_a_better_status(
    given_checks: list[tuple[Check, list[Status]]], data: st.DataObject
) -> None:
    states = []
    for subject, row in given_checks:
        state = UNKNOWN
        for moment, status in enumerate(row):
            state = advance(subject, state, RESULTS[status], float(moment), 0.0)
        states.append((subject, state, None))
    probe = data.draw(st.sampled_from(Probe))

    def status_of(count: int) -> Status:
        return build_report(
            probe, states[:count], phase=None, app_started=True, startup_passed=True, exclude=frozenset(), now=10.0
        ).status

    assert all(fewer <= more for fewer, more in pairwise(map(status_of, range(len(states) + 1))))


def test_a_result_at_the_very_deadline_is_a_failure_whatever_it_is() -> None:
    subject = Check("a", lambda: None, timeout=2.0)
    for end, result, status in (
        (1.999, healthy(), Status.HEALTHY),
        (2.0, healthy(), Status.UNHEALTHY),
        (1.999, unhealthy("x"), Status.UNHEALTHY),
    ):
        engine = serving_engine(subject)
        engine.record(start_run(engine, 0.0), result, end)
        assert engine.report(Probe.READINESS, now=end).status is status


def test_a_late_result_is_a_failure_that_names_the_timeout() -> None:
    engine = serving_engine(Check("a", lambda: None, timeout=2.0))
    engine.record(start_run(engine, 0.0), healthy(), 3.0)
    assert engine.report_check("a", Probe.HEALTH, now=3.0).checks[0].state.result == Result(
        Status.UNHEALTHY, "timed out after 2.0 s"
    )
