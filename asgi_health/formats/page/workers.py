"""The workers of the host on the page: what each one's state is, and why."""

from html import escape

from ...core.lifecycle import Phase
from ...core.report import Report
from ...core.status import Probe, Status
from ...core.workers import Host, Worker
from ..workers import because
from .moments import Clock
from .tones import TONES, Tone, icon

MAX_WORKERS = 12
"""Workers that are shown; of more, those that are not healthy come first, and the rest is counted."""


def workers_panel(report: Report, clock: Clock) -> str:
    """Return the workers as a section; empty without a board, and for one worker that is healthy."""
    host = report.host
    if host is None or (len(host.workers) < 2 and report.status is Status.HEALTHY):
        return ""
    ranked = sorted(
        host.workers, key=lambda each: (-_worst(host, each), each.key not in (host.own, host.leader), each.pid)
    )
    shown = sorted(ranked[:MAX_WORKERS], key=lambda each: each.pid)
    more = len(ranked) - len(shown)
    rest = f'<li class="soft">and {more:,} more, which are not worse</li>' if more else ""
    ready = sum(
        each.phase is Phase.SERVING and _status(host, each, Probe.READINESS) is not Status.UNHEALTHY
        for each in host.workers
    )
    rows = "".join(_row(host, each, clock) for each in shown)
    return (
        '<section class="workers" id="workers" aria-labelledby="workers-title"><h2 id="workers-title">Workers</h2>'
        f'<p class="soft">{ready:,} of {len(host.workers):,} are ready</p><ul role="list">{rows}{rest}</ul></section>'
    )


def _status(host: Host, worker: Worker, probe: Probe) -> Status:
    return worker.probe_at(probe, host.at).status


def _worst(host: Host, worker: Worker) -> Status:
    return max(_status(host, worker, probe) for probe in (Probe.LIVENESS, Probe.READINESS, Probe.HEALTH))


def _row(host: Host, worker: Worker, clock: Clock) -> str:
    ready, live, every = (worker.probe_at(probe, host.at) for probe in (Probe.READINESS, Probe.LIVENESS, Probe.HEALTH))
    # What decides: a worker that is ready and live may still have a check that fails neither.
    found = ready if ready.status >= max(live.status, every.status) else max(live, every, key=lambda each: each.status)
    phase = "starting" if not worker.startup_passed else worker.phase.name.lower()
    by_phase = phase != "serving" and live.status is not Status.UNHEALTHY
    tone: Tone = "warn" if by_phase else TONES[found.status]
    parts = [
        f"<b>{worker.pid}</b>",
        phase,
        "not ready" if ready.status is Status.UNHEALTHY else "ready",
        "not live" if live.status is Status.UNHEALTHY else "live",
    ]
    if found.since:
        parts.append(f'<span class="soft">{clock.since(found.since)}</span>')
    if found.reason is not None:
        parts.append(f"<bdi>{escape(because(found))}</bdi>")
    if worker.key == host.own:
        parts.append('<span class="tag">shows this page</span>')
    if worker.key == host.leader:
        parts.append('<span class="tag">runs the checks of the host</span>')
    return f'<li class="{tone}">{icon(tone)}{" ".join(f"<span>{each}</span>" for each in parts)}</li>'
