"""The numbers of a configuration: each keeps the promise that its reason states, for any app."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Check, Result, Status, unhealthy
from asgi_health.cli.manifest.facts import AppFacts, CheckFacts, DrainFacts, ListenerFacts
from asgi_health.cli.manifest.numbers import (
    LIVENESS_PERIOD,
    OWN_SHUTDOWN,
    grace,
    liveness_probe,
    longest_start,
    readiness_probe,
    stall_live,
    startup_probe,
)
from asgi_health.cli.manifest.servers import DAPHNE, HYPERCORN, SERVERS, UVICORN, Server
from asgi_health.core.schedule import pause
from asgi_health.core.state import UNKNOWN, advance

seconds = st.floats(0.001, 300.0)
checks = st.builds(
    CheckFacts,
    st.from_regex(r"[a-z]{1,5}", fullmatch=True),
    st.sampled_from([("startup",), ("readiness",), ("readiness", "startup")]),
    st.floats(0.001, 3600.0),
    seconds,
    seconds,
    st.integers(1, 100),
    st.integers(1, 9),
)


def app(
    *checks: CheckFacts, delay: float | None = None, stall: float | None = None, path: str | None = None
) -> AppFacts:
    listener = None if stall is None else ListenerFacts("0.0.0.0", 9000, None, stall)
    drain = None if delay is None else DrainFacts(delay, None, path, False)
    return AppFacts("shop:app", "/live", "/ready", "/startup", checks, listener, drain)


def slowest_start(facts: CheckFacts, jitter: float) -> float:
    """Return when the check has passed once, by the engine's own rules: each run but the last one fails."""
    names = ("interval", "retry_interval", "failure_threshold", "success_threshold")
    # Its timeout only has to be one that a Check accepts: the runs here last as long as the facts say.
    check = Check("a", lambda: None, timeout=0.001, **{name: getattr(facts, name) for name in names})
    state, now = UNKNOWN, 0.0
    for _ in range(facts.failure_threshold):
        now += facts.timeout
        state = advance(check, state, unhealthy("no"), now, facts.timeout)
        now += pause(check, state, jitter)
    for passes in range(1, facts.success_threshold + 1):
        now += facts.timeout
        state = advance(check, state, Result(Status.HEALTHY), now, facts.timeout)
        assert state.passed == (passes == facts.success_threshold)
        now += pause(check, state, jitter) if not state.passed else 0.0
    return now


@given(checks, st.floats(0.0, 1.0, exclude_max=True))
def test_no_check_that_fails_as_often_as_its_threshold_takes_longer_to_start(check: CheckFacts, jitter: float) -> None:
    assert slowest_start(check, jitter) <= longest_start(check) * (1 + 1e-9)
    assert slowest_start(check, 1 - 2**-53) >= longest_start(check) * (1 - 1e-9)


@given(st.lists(checks, max_size=5), st.floats(0.001, 86400.0))
def test_startup_lasts_as_long_as_the_imports_and_the_slowest_check(found: list[CheckFacts], start: float) -> None:
    probe = startup_probe(found, start)
    longest = max((longest_start(each) for each in found if "startup" in each.probes), default=0.0)
    assert start + longest <= probe.period.value * probe.failures.value < start + longest + 1


@given(st.none() | st.floats(0.001, 3600.0))
def test_liveness_never_fails_before_the_loop_was_blocked_for_the_stall_time(stall: float | None) -> None:
    facts = app(stall=stall)
    probe = liveness_probe(facts)
    # The first of the failures may come in the moment in which the loop is blocked.
    earliest = (probe.failures.value - 1) * probe.period.value
    assert earliest >= stall_live(facts).value
    assert earliest < max(stall_live(facts).value + LIVENESS_PERIOD, 3 * LIVENESS_PERIOD)


@given(
    st.floats(0.001, 300.0),
    st.integers(1, 3),
    st.sampled_from([0.1, 1.0]),
    st.sampled_from([0.0, 2.0]),
    st.sampled_from([2.0, 5.0]),
)
def test_a_prober_notices_a_drain_before_it_ends_or_the_reason_says_that_it_cannot(
    delay: float, failures: int, unit: float, spread: float, longest: float
) -> None:
    facts = app(delay=delay)
    probe = readiness_probe(facts.drain, longest=longest, unit=unit, spread=spread, failures=failures)
    period = probe.period.value
    assert unit <= period <= longest
    assert abs(period / unit - round(period / unit)) < 1e-6
    if "TOO LONG" in probe.period.why:
        assert period == unit
        assert (failures + 1) * unit + spread > delay - 1e-6
    else:
        assert (failures + 1) * period + spread <= delay + 1e-6
        # No longer period would do.
        assert period == longest or (failures + 1) * (period + unit) + spread > delay - 1e-5


@pytest.mark.parametrize("delay", [None, 0.0], ids=["no drain", "a delay of 0"])
def test_without_a_delay_the_period_is_the_usual_one_and_the_reason_says_what_is_lost(delay: float | None) -> None:
    period = readiness_probe(app(delay=delay).drain, longest=2.0, unit=0.1).period
    assert period.value == 2.0
    assert "each restart loses requests" in period.why


@given(st.none() | st.floats(0.0, 300.0), st.sampled_from(list(SERVERS.values())), st.floats(0.001, 3600.0))
def test_sigkill_comes_after_the_drain_the_requests_and_the_shutdown(
    delay: float | None, server: Server, request: float
) -> None:
    facts = app(delay=delay)
    hook = 0 if server.drains_by_signal else ceil(facts.delay or 5.0)
    value = grace(facts, server, request, hook=hook).value
    in_flight = request if server.finishes_requests else 0.0
    assert value >= (facts.delay or hook) + in_flight + OWN_SHUTDOWN
    assert value < max(facts.delay, hook) + in_flight + OWN_SHUTDOWN + 2


def test_each_reason_names_what_it_comes_from() -> None:
    migrations = CheckFacts("migrations", ("startup",), 10.0, 1.0, 2.0, 3, 1)
    facts = app(migrations, delay=10.0, stall=60.0)
    assert startup_probe(facts.checks, 60.0).failures.why == (
        "76 x 1 s: 60 s for the imports and the app's own startup (--startup), and 15.7 s for check 'migrations': as"
        " many failures as its failure_threshold, then as many passes as its success_threshold, each at its timeout,"
        " and the pauses between them."
    )
    assert "60 s that a blocked loop may take (stall_live of the Listener)" in liveness_probe(facts).failures.why
    period = readiness_probe(facts.drain, longest=5.0, unit=1.0, spread=2.0).period
    assert (period.value, "fit into the Drain of 10 s" in period.why) == (2.0, True)
    assert grace(facts, UVICORN, 30.0).why == (
        "10 s of the Drain, 30 s for requests in flight (--longest-request), 5 s for the app's own shutdown; then"
        " SIGKILL follows."
    )
    assert "10 s of the hook before SIGTERM" in grace(facts, HYPERCORN, 30.0, hook=10).why
    assert "nothing for requests in flight, which daphne drops" in grace(facts, DAPHNE, 30.0).why
