"""Compute periods, thresholds and times for an app, each with the reason for it. Pure functions of plain values."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor
from typing import Generic, TypeVar

from ...core.check import JITTER
from .facts import AppFacts, CheckFacts, DrainFacts
from .servers import Server

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Noted(Generic[T_co]):
    """A value of a configuration, and the comment that says why."""

    value: T_co
    why: str


PROBE_TIMEOUT = 1
"""Seconds. Answers are prepared before they are asked for; a second is for the network."""

LONGEST_TIMEOUT = 5
"""Seconds for a probe that may wait for a check. With more, a blocked loop would be noticed late."""

COMMAND_TIMEOUT = 5
"""Seconds for `asgi-health probe --timeout 1`: the start of Python on a busy host, too."""

LIVENESS_PERIOD = 10
"""Seconds between two probes of liveness."""

STALL = 30.0
"""Seconds of a blocked loop that liveness accepts where no Listener says otherwise: the default of a Listener."""

FAILURES = 2
"""Bad answers in a row that take an instance out."""

RISE = Noted(1, "The first good answer puts an instance back: each check has a success_threshold of its own.")
"""Good answers in a row that put an instance back."""

ENDPOINTS = 2.0
"""Seconds until each proxy of a Kubernetes cluster knows that a pod is not ready."""

NO_DRAIN = 5.0
"""Seconds for which a hook delays the stop of an app that has no drain."""

NO_DRAIN_LOSES = (
    "The app has no Drain that delays its stop: it stops before a prober notices, and each restart loses requests."
)
"""Why readiness cannot help at a restart."""

OWN_SHUTDOWN = 5.0
"""Seconds for the shutdown of the app itself: its lifespan, pools and threads."""


PREPARED = Noted(PROBE_TIMEOUT, "Each answer is prepared before it is asked for, so none takes longer.")
"""Seconds for an answer that waits for no check."""

BY_COMMAND = Noted(COMMAND_TIMEOUT, f"Longer than the {PROBE_TIMEOUT} s of the command, for the start of Python.")
"""Seconds for `asgi-health probe`."""


@dataclass(frozen=True, slots=True)
class ProbeNumbers:
    """How often a probe asks, and when it acts.

    Attributes:
        period: Seconds from one probe to the next.
        timeout: Seconds for an answer.
        failures: Bad answers in a row after which it acts.
    """

    period: Noted[float]
    timeout: Noted[int]
    failures: Noted[int]


def longest_start(check: CheckFacts) -> float:
    """Return the seconds that a check of startup may need: `failure_threshold` failed runs, then those that pass.

    Each run takes its whole timeout. The pause after each failure doubles, as `core.schedule.pause` says. A check that
    fails more often has no limit: the threshold is the number of failures that the app itself accepts.
    """
    retry = min(check.interval, check.retry_interval)
    doubled = min(check.failure_threshold, 64)
    pauses = sum(min(check.interval, check.retry_interval * 2.0**retries) for retries in range(doubled))
    pauses += (check.failure_threshold - doubled) * check.interval
    pauses += (check.success_threshold - 1) * retry
    return (check.failure_threshold + check.success_threshold) * check.timeout + pauses * (1 + JITTER)


def answer_timeout(checks: Iterable[CheckFacts], probe: str) -> Noted[int]:
    """Return the seconds for an answer of the app to `probe`, which may wait for the first result of a check.

    Args:
        checks: All checks of the app.
        probe: The probe, as in `CheckFacts.probes`.
    """
    longest, name = max(((each.timeout, each.name) for each in checks if probe in each.probes), default=(0.0, ""))
    if longest <= PROBE_TIMEOUT:
        return PREPARED
    waits = (
        f"The first probe after the start, and each one where the server sends no lifespan, may wait for check {name!r}"
        f" and its timeout of {longest:g} s. All others get an answer that is prepared."
    )
    if longest <= LONGEST_TIMEOUT:
        return Noted(ceil(longest), waits)
    return Noted(LONGEST_TIMEOUT, f"{waits} With more than {LONGEST_TIMEOUT} s a blocked loop would be noticed late.")


def startup_seconds(checks: Iterable[CheckFacts], start: float) -> Noted[int]:
    """Return the seconds from the start of the process until the startup probe has passed, at the longest.

    Args:
        checks: All checks of the app.
        start: Seconds for the imports and for the app's own startup.
    """
    found = [(longest_start(each), each.name) for each in checks if "startup" in each.probes]
    own = f"{start:g} s for the imports and the app's own startup (--startup)"
    if not found:
        return Noted(ceil(start), f"{own}; no check counts for startup.")
    longest, name = max(found)
    return Noted(
        ceil(start + longest),
        f"{own}, and {longest:.1f} s for check {name!r}: as many failures as its failure_threshold, then"
        " as many passes as its success_threshold, each at its timeout, and the pauses between them.",
    )


def startup_probe(checks: Iterable[CheckFacts], start: float, timeout: Noted[int] = PREPARED) -> ProbeNumbers:
    """Return how often startup is asked, so that no start within `startup_seconds` is cut off."""
    seconds = startup_seconds(checks, start)
    return ProbeNumbers(
        Noted(1, "Each second, so that the app gets requests within a second of its start."),
        timeout,
        Noted(seconds.value, f"{seconds.value} x 1 s: {seconds.why}"),
    )


def liveness_probe(app: AppFacts, timeout: Noted[int] = PREPARED) -> ProbeNumbers:
    """Return how often liveness is asked, so that no block of the loop shorter than its stall time restarts the app."""
    stall = stall_live(app)
    failures = max(3, ceil(stall.value / LIVENESS_PERIOD) + 1)
    earliest = (failures - 1) * LIVENESS_PERIOD
    return ProbeNumbers(
        Noted(LIVENESS_PERIOD, "A restart is the last resort: nothing is gained by asking more often."),
        timeout,
        Noted(
            failures,
            f"The first and the last of {failures} failures are {earliest} s apart, which is not shorter than the"
            f" {stall.value:g} s that a blocked loop may take ({stall.why}): a block that ends in time restarts"
            " nothing, even where probes get no answer.",
        ),
    )


def stall_live(app: AppFacts) -> Noted[float]:
    """Return the seconds for which the loop may be blocked before a restart."""
    if app.listener is None:
        return Noted(STALL, "the default of a Listener, which this app does not have")
    return Noted(app.listener.stall_live, "stall_live of the Listener")


def readiness_probe(
    drain: DrainFacts | None,
    *,
    longest: float,
    unit: float,
    spread: float = 0.0,
    failures: int = FAILURES,
    without: str = NO_DRAIN_LOSES,
    timeout: Noted[int] = PREPARED,
) -> ProbeNumbers:
    """Return how often readiness is asked, so that the prober notices a drain before the server stops.

    Args:
        drain: The drain, if any.
        longest: Seconds of the longest period.
        unit: The smallest period, of which each period is a multiple.
        spread: Seconds that the platform needs to act, once it has noticed.
        failures: Bad answers in a row after which the prober takes the instance out.
        without: The reason for `longest` where no drain delays the stop.
        timeout: Seconds for an answer.
    """
    if drain is None or drain.delay == 0:
        period = Noted(longest, without)
    else:
        period = _readiness_period(drain.delay, longest, unit, spread, failures)
    return ProbeNumbers(period, timeout, _readiness_failures(failures))


def _readiness_period(delay: float, longest: float, unit: float, spread: float, failures: int) -> Noted[float]:
    # One period more than the failures: a probe may have been answered right before the drain began.
    periods = failures + 1
    fits = floor(round((delay - spread) / periods / unit, 6)) * unit
    period = round(min(longest, max(unit, fits)), 6)
    acts = f" and {spread:g} s until the platform has acted" if spread else ""
    sum_ = f"{periods} periods ({_failures(failures)}, one in reserve){acts}"
    if fits < unit:
        needed = round(periods * unit + spread, 6)
        return Noted(
            period,
            f"TOO LONG for the Drain of {delay:g} s, although it is the shortest: {sum_} take {needed:g} s."
            f" Set Drain(delay={ceil(needed)}).",
        )
    return Noted(period, f"{sum_} fit into the Drain of {delay:g} s, so no request is lost when the app stops.")


def _readiness_failures(failures: int) -> Noted[int]:
    if failures == 1:
        return Noted(1, "The first bad answer takes the instance out.")
    return Noted(
        failures,
        f"One answer that is lost or late takes nothing out. More than {failures} would only delay: each check has a"
        " failure_threshold of its own.",
    )


def _failures(number: int) -> str:
    return "1 failure" if number == 1 else f"{number} failures"


def hook_seconds(app: AppFacts) -> int:
    """Return the seconds for which a hook of the platform delays the stop, where no signal can."""
    return ceil(app.delay or NO_DRAIN)


def grace(app: AppFacts, server: Server, longest_request: float, *, hook: int = 0) -> Noted[int]:
    """Return the seconds from the stop to SIGKILL.

    Args:
        app: The app.
        server: Its server.
        longest_request: Seconds that the server gives requests in flight.
        hook: Seconds that a hook takes before SIGTERM.
    """
    drain = app.delay if server.drains_by_signal and not hook else 0.0
    finishing = longest_request if server.finishes_requests else 0.0
    parts = [
        *([f"{hook} s of the hook before SIGTERM"] if hook else []),
        *([f"{drain:g} s of the Drain"] if drain else []),
        f"{finishing:g} s for requests in flight (--longest-request)"
        if server.finishes_requests
        else f"nothing for requests in flight, which {server.name} drops",
        f"{OWN_SHUTDOWN:g} s for the app's own shutdown",
    ]
    return Noted(ceil(hook + drain + finishing + OWN_SHUTDOWN), f"{', '.join(parts)}; then SIGKILL follows.")
