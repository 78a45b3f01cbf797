"""What checks ask, how often, and in how many processes."""

from collections.abc import Iterator

from ....core.check import Check
from ....core.status import Probe
from ..dependencies import dependency_of, is_local
from ..facts import AppFacts
from ..finding import Finding, rule
from ..prober import Prober

MAX_RUNS_PER_SECOND = 10.0
"""Runs of one check by all processes together that a dependency hardly notices."""

MAX_NAMES = 8
"""Names of checks in one finding."""

_FILES = {"aiosqlite", "sqlite", "sqlite3"}
"""What each instance has for itself."""


@rule(
    "liveness-dependency",
    "error",
    "A failing liveness probe restarts the container. A restart repairs no dependency, and when a shared one fails, all"
    " instances restart at once, again and again.",
)
def liveness_dependency(facts: AppFacts) -> Iterator[Finding]:
    for check in facts.checks:
        asked = dependency_of(check)
        if asked and Probe.LIVENESS in check.probes:
            others = tuple(str(each) for each in check.probes if each is not Probe.LIVENESS)
            yield Finding(
                f"check {check.name!r} counts for liveness, and asks {asked}",
                f"probes=({', '.join(others or (str(Probe.READINESS),))},)",
            )


@rule(
    "shared-dependencies",
    "warning",
    "When it fails, every instance leaves the rotation at the same moment, and clients get the error of the balancer in"
    " place of the answer that the app could still give.",
)
def shared_dependencies(facts: AppFacts) -> Iterator[Finding]:
    critical = [each for each in facts.checks if each.critical and Probe.READINESS in each.probes]
    asked = [dependency_of(each) for each in critical]
    instances = facts.settings.instances
    if instances > 1 and critical and all(asked) and not _FILES & set(asked):
        names = _listed([repr(each.name) for each in critical])
        yield Finding(
            f"all critical checks of readiness ask what all {instances} instances share: {names}",
            "critical=False where the app can answer without it; where it can answer nothing, ignore this rule",
        )


@rule(
    "too-many-runs",
    "warning",
    "Each worker of each instance runs each check. The dependency has to answer all of them, most of all while it is"
    " slow.",
)
def too_many_runs(facts: AppFacts) -> Iterator[Finding]:
    settings = facts.settings
    has_board = any(layer.board is not None for layer in facts.layers)
    for check in facts.checks:
        workers = 1 if has_board and getattr(check, "scope", "") == "host" else settings.workers
        processes = workers * settings.instances
        if not is_local(check) and processes / check.interval > MAX_RUNS_PER_SECOND:
            yield Finding(
                f"check {check.name!r} runs {processes / check.interval:g} times a second: {workers} workers x"
                f" {settings.instances} instances / interval {check.interval:g} s",
                f"interval={_round_up(processes / MAX_RUNS_PER_SECOND):g} or more",
            )


@rule(
    "check-timeout",
    "warning",
    "The first probe after a start, and without lifespan each probe, waits for the checks that are due. The prober"
    " gives up before the check has failed, and counts a timeout where the answer would say why.",
)
def check_timeout(facts: AppFacts) -> Iterator[Finding]:
    late: dict[Prober, list[Check]] = {}
    for check in facts.checks:
        probers = [facts.settings.probers[each] for each in check.probes if _may_wait(facts, each)]
        prober = min(probers, key=lambda each: each.timeout, default=None)
        if prober is not None and check.timeout > prober.timeout:
            late.setdefault(prober, []).append(check)
    for prober, checks in late.items():
        names = _listed([f"{check.name!r} ({check.timeout:g} s)" for check in checks])
        longest = max(check.timeout for check in checks)
        yield Finding(
            f"the timeout of {names} is longer than that of the prober, {prober.timeout:g} s ({prober.source})",
            f"timeout={_below(prober.timeout):g}, or a prober that waits for {int(longest) + 1} s",
        )


def _listed(names: list[str]) -> str:
    """Return the names, the first ones alone where there are many."""
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def _may_wait(facts: AppFacts, probe: Probe) -> bool:
    """Return whether an answer to `probe` may wait for a check, and one that comes too late has an effect.

    A listener never waits. A late answer of startup is one failure of many: `kubernetes-startup` has their number.
    """
    container = facts.settings.container
    asked = None if container is None else container.of(probe)
    return probe is not Probe.STARTUP and (asked is None or not asked.asks(facts.listeners))


def _below(seconds: float) -> float:
    return seconds - 0.1 if seconds > 0.5 else seconds / 2


def _round_up(seconds: float) -> float:
    return float(-(-seconds // 1))


@rule(
    "workers-without-board",
    "warning",
    "Each probe reaches one worker by chance. One that is blocked or fails is missed by most probes, readiness"
    " changes from answer to answer, and each worker asks each dependency.",
)
def workers_without_board(facts: AppFacts) -> Iterator[Finding]:
    settings = facts.settings
    if settings.workers > 1 and facts.layers and all(layer.board is None for layer in facts.layers):
        yield Finding(
            f"{settings.workers} workers ({settings.workers_source}) share one address, and each has a status of its"
            " own",
            'one worker per container, or board=Board("/run/app/health.db")',
        )


RULES = (liveness_dependency, shared_dependencies, too_many_runs, workers_without_board, check_timeout)
