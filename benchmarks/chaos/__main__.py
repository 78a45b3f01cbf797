"""Cause faults of one worker at a time on a host with several, and judge every answer to its probes.

Two hosts serve behind HAProxy under load. Workers of the first are killed, stopped, made sick, and their event loops
blocked, at random moments, while readiness and liveness are asked for ten times in a second. Then both hosts are
restarted in turn, and no request may be lost.
"""

import argparse
import random
import sys
import time
from itertools import pairwise

from asgi_health.core.check import JITTER

from ..rolling.haproxy import missing
from ..rolling.load import Outcomes, load
from ..rolling.restarts import BACKENDS, DELAY, Pair, pair, wait_for_more
from .app import INTERVAL, Settings
from .faults import LIVE, READY, TAKEOVER, Fault, cause_faults
from .host import Host
from .prober import Record, probing
from .servers import SERVERS, UVICORN
from .verdict import judge, table

SETTINGS = Settings(drain={"delay": DELAY}, stall_ready=2.0, stall_live=3.0)
SERVERS_THAT_REPLACE = {server.name: server for server in SERVERS if server.replaces}


def main() -> int:
    """Return 1 when an answer was wrong, or a request was lost in a restart."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("server", nargs="?", default=UVICORN.name, choices=SERVERS_THAT_REPLACE)
    parser.add_argument("--minutes", type=float, default=5.0, help="of faults (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=4, help="of each host (default: %(default)s)")
    parser.add_argument("--restarts", type=int, default=4, help="of the two hosts (default: %(default)s)")
    parser.add_argument("--slack", type=float, default=0.5, help="seconds beyond each bound (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="of the faults, to repeat a run")
    options = parser.parse_args()
    if options.workers < 2:
        parser.error("--workers must be at least 2: one worker cannot answer for another")
    if reason := missing():
        parser.error(reason)
    seed = random.randrange(10**6) if options.seed is None else options.seed
    server = SERVERS_THAT_REPLACE[options.server].with_workers(options.workers)
    print(f"{server}, {options.workers} workers, seed {seed}, slack {options.slack:g} s", flush=True)
    violations: list[str] = []
    with pair(server, SETTINGS) as hosts:
        host = Host.of(hosts.running[0], server)
        host.wait_for_workers(server.workers)
        host.wait_for_answers(READY, 200)
        during = Outcomes()
        with load(hosts.balancer.address, during), probing(hosts.addresses[0], (READY, LIVE)) as record:
            faults = cause_faults(host, SETTINGS, 60 * options.minutes, options.slack, seed)
        violations += _report(faults, record, options.slack)
        violations += _report_runs(host, options.slack)
        print(f"requests during the faults: {during.requests:,}, lost {dict(during.lost)}", flush=True)
        if violations:
            for fault in faults:
                print(f"{fault.began:.2f} to {fault.ended:.2f}: {fault.pid} is {fault.kind.name}", file=sys.stderr)
            print(host.running.log, file=sys.stderr)
        host.wait_for_answers(READY, 200)
        violations += _restart(hosts, options.restarts)
    for violation in violations:
        print(f"VIOLATION: {violation}")
    return 1 if violations else 0


def _report(faults: list[Fault], record: Record, slack: float) -> list[str]:
    lines = judge(faults, record.probes)
    print(table(lines))
    print(f"{len(record.probes):,} probes; one was sent {record.latest:.2f} s too late, because the machine was busy")
    starting = sum(each.starting for each in record.probes)
    print(f"{starting} of them reached a worker that had just started, and that is not ready before its first results")
    return [violation for line in lines for violation in line.violations(slack)]


def _report_runs(host: Host, slack: float) -> list[str]:
    runs = host.runs()
    pauses = [later - earlier for (_, earlier), (_, later) in pairwise(runs)]
    shortest, longest, least = min(pauses), max(pauses), INTERVAL * (1 - JITTER)
    runners = sum(before != after for (before, _), (after, _) in pairwise(runs))
    print(
        f"check of the host: {len(runs)} runs, {runners} takeovers, pauses {shortest:.2f} to {longest:.2f} s"
        f" (bounds {least:.2f} and {TAKEOVER:.2f} s)"
    )
    violations = []
    if shortest < least:
        violations.append(f"two runs of the check of the host within {shortest:.2f} s")
    if longest > TAKEOVER + slack:
        violations.append(f"no run of the check of the host for {longest:.2f} s")
    return violations


def _restart(hosts: Pair, restarts: int) -> list[str]:
    outcomes, took = Outcomes(), []
    noise: list[str] = []
    with load(hosts.balancer.address, outcomes):
        wait_for_more(outcomes)
        for number in range(restarts):
            began = time.monotonic()
            end = hosts.restart(BACKENDS[number % len(BACKENDS)])
            took.append(time.monotonic() - began)
            noise += end.noise
            wait_for_more(outcomes)
    print(
        f"rolling restart: {restarts} restarts, {outcomes.requests:,} requests, lost {dict(outcomes.lost)}", flush=True
    )
    if outcomes.lost:
        return [f"lost in a rolling restart: {dict(outcomes.lost)}"]
    return [f"a server complained: {line}" for line in noise]


if __name__ == "__main__":
    sys.exit(main())
