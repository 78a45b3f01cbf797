"""The times of the app against those of its prober and of its orchestrator."""

from collections.abc import Iterator

from ....core.status import Probe
from ..facts import AppFacts
from ..finding import Finding, rule


@rule(
    "drain-too-short",
    "error",
    "The server stops before the prober has seen that readiness is 503. The requests that still arrive are lost in each"
    " rolling restart.",
)
def drain_too_short(facts: AppFacts) -> Iterator[Finding]:
    prober = facts.settings.probers[Probe.READINESS]
    for layer in facts.layers:
        drain = layer.drain
        if drain is not None and 0 < drain.delay < prober.notices_within:
            yield Finding(
                f"drain: delay {drain.delay:g} s is shorter than period {prober.period:g} s x failure threshold"
                f" {prober.failure_threshold} ({prober.source})",
                f"Drain(delay={prober.notices_within + 1:g}), or a prober that asks more often",
            )


@rule(
    "drain-grace",
    "error",
    "SIGKILL ends the process while it still drains. The server never stops in order: requests in flight are cut,"
    " and the app's own shutdown does not run.",
)
def drain_grace(facts: AppFacts) -> Iterator[Finding]:
    settings = facts.settings
    container = settings.container
    for layer in facts.layers:
        if layer.drain is None:
            continue
        before = 0.0 if container is None else container.prestop_seconds
        if layer.drain.delay + before >= settings.grace:
            hook = f" after {before:g} s of the preStop hook" if before else ""
            source = "" if container is None else f" (terminationGracePeriodSeconds of {container.name})"
            yield Finding(
                f"drain: delay {layer.drain.delay:g} s{hook} does not end within the {settings.grace:g} s from"
                f" SIGTERM to SIGKILL{source}",
                "a shorter delay, or a longer time: the delay, the longest request, and the app's own shutdown",
            )


@rule(
    "listener-stall",
    "warning",
    "The listener answers while the event loop is blocked, so its stall times decide what the timeout of the prober"
    " decides without a listener.",
)
def listener_stall(facts: AppFacts) -> Iterator[Finding]:
    ready, live = (facts.settings.probers[each] for each in (Probe.READINESS, Probe.LIVENESS))
    for layer in facts.layers:
        listener = layer.listener
        if listener is None:
            continue
        for option, seconds, prober in (
            ("stall_ready", listener.stall_ready, ready),
            ("stall_live", listener.stall_live, live),
        ):
            if seconds < prober.timeout:
                yield Finding(
                    f"listener: {option} {seconds:g} s is shorter than the timeout of the prober, {prober.timeout:g} s"
                    f" ({prober.source}): a pause that the prober would wait for counts as a failure",
                    f"{option}={prober.timeout:g} or more",
                )
        out, restarted = listener.stall_ready + ready.notices_within, listener.stall_live + live.notices_within
        if restarted <= out:
            yield Finding(
                f"listener: a blocked loop restarts the app after {restarted:g} s, and takes it out of the rotation"
                f" after {out:g} s: stall_live {listener.stall_live:g} s, stall_ready {listener.stall_ready:g} s",
                f"stall_live={listener.stall_live + out - restarted + live.period:g} or more",
            )


RULES = (drain_too_short, drain_grace, listener_stall)
