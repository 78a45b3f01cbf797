"""Restart every server with a drain and without one, and print what was lost as a table for the README."""

import argparse
import sys
import time

from .app import Settings
from .haproxy import missing
from .rolling import DELAY, Outcome, roll
from .servers import SERVERS

HEAD = """\
| server | requests, with the drain | lost | requests, without it | lost |
|---|---:|---:|---:|---:|"""


def main() -> int:
    """Return 1 when a request was lost in spite of the drain."""
    names = [server.name for server in SERVERS]
    parser = argparse.ArgumentParser(prog="python -m tests.rolling", description=__doc__)
    parser.add_argument("servers", nargs="*", metavar="SERVER", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--restarts", type=int, default=20, help="of each server in each way (default: %(default)s)")
    options = parser.parse_args()
    if unknown := set(options.servers) - set(names):
        parser.error(f"{', '.join(sorted(unknown))}: no such server; there are {', '.join(names)}")
    if reason := missing():
        parser.error(reason)
    lost = 0
    print(HEAD, flush=True)
    for server in SERVERS:
        if options.servers and server.name not in options.servers:
            continue
        cells = [server.name]
        for drain in ({"delay": DELAY}, None):
            begin = time.monotonic()
            outcome = roll(server, Settings(drain=drain), options.restarts)
            cells += [f"{outcome.requests:,}", f"{outcome.lost.total():,}"]
            lost += outcome.lost.total() if drain else 0
            complain(outcome, f"{server}, {'with' if drain else 'without'} a drain, {time.monotonic() - begin:.0f} s")
        print(f"| {' | '.join(cells)} |", flush=True)
    return 1 if lost else 0


def complain(outcome: Outcome, what: str) -> None:
    """Tell what was lost, and how the processes ended, apart from the table."""
    codes = sorted({str(end.code) for end in outcome.exits})
    noise = sum(len(end.noise) for end in outcome.exits)
    print(f"{what}: lost {dict(outcome.lost)}, exit codes {' '.join(codes)}, {noise} complaints", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
