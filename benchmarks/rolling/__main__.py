"""Restart every server with a drain and without one, and write how many requests were lost as a table."""

import argparse
import sys
import time

from ..pages import ROLLING, insert, shown
from .app import Settings
from .haproxy import missing
from .restarts import DELAY, Outcome, roll
from .servers import SERVERS

HEAD = """\
| server | requests, with the drain | lost | requests, without it | lost |
|---|---:|---:|---:|---:|"""


def main() -> int:
    """Return 1 when a request was lost although the server drained."""
    names = [server.name for server in SERVERS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rolling", description=__doc__)
    parser.add_argument("servers", nargs="*", metavar="SERVER", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--restarts", type=int, default=20, help="of each server in each way (default: %(default)s)")
    parser.add_argument(
        "--write", action="store_true", help="replace the tracked table and the page that shows it; needs all servers"
    )
    options = parser.parse_args()
    if unknown := set(options.servers) - set(names):
        parser.error(f"{', '.join(sorted(unknown))}: unknown server; the servers are {', '.join(names)}")
    if options.write and options.servers:
        parser.error("--write replaces the whole table: name no server with it")
    if options.write and not shown(ROLLING):
        parser.error(f"no page has a place for {ROLLING}")
    if reason := missing():
        parser.error(reason)
    lost = 0
    lines = [HEAD]
    print(HEAD, flush=True)
    for server in SERVERS:
        if options.servers and server.name not in options.servers:
            continue
        cells = [server.name]
        for drain in ({"delay": DELAY}, None):
            began = time.monotonic()
            outcome = roll(server, Settings(drain=drain), options.restarts)
            cells += [f"{outcome.requests:,}", f"{outcome.lost.total():,}"]
            lost += outcome.lost.total() if drain else 0
            _comment(outcome, f"{server}, {'with' if drain else 'without'} a drain, {time.monotonic() - began:.0f} s")
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    if options.write:
        insert(ROLLING, "\n".join(lines) + "\n")
    return 1 if lost else 0


def _comment(outcome: Outcome, what: str) -> None:
    """Print to stderr what was lost and how the processes ended, so that stdout is the table alone."""
    codes = sorted({str(end.code) for end in outcome.exits})
    noise = sum(len(end.noise) for end in outcome.exits)
    print(f"{what}: lost {dict(outcome.lost)}, exit codes {' '.join(codes)}, {noise} complaints", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
