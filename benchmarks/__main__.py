"""Run the benchmarks: all of them, in about eleven minutes on two quiet cores."""

import argparse
import json
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from . import (
    anatomy,
    attack,
    bounds,
    heartbeat,
    in_process,
    load,
    machine,
    redaction,
    report,
    scrape,
    served,
    start,
    tables,
    tail,
    watching,
)
from .contenders import CONTENDERS
from .figures import Results
from .pages import ANSWER, RESULTS, ROOT, WAITS, insert
from .plan import Plan, Progress

MEASUREMENTS: dict[str, tuple[Callable[[Plan, Progress], Results], str]] = {
    "in-process": (in_process.measure, "ns and bytes per answer, ns added to other pages, runs that probes cause"),
    "anatomy": (anatomy.measure, "the parts of an answer, added one after the other"),
    "served": (served.measure, "probes per second and latencies under uvicorn, hypercorn, granian"),
    "heartbeat": (heartbeat.measure, "probes per second with and without the heartbeat of the loop and the watchdog"),
    "tail": (tail.measure, "the longest wait of a probe, and calls of the dependency, under faults"),
    "attack": (attack.measure, "the longest wait of an honest probe at the listener while others attack it"),
    "watching": (watching.measure, "processor and memory of checks without probes, cost of a run, growth"),
    "redaction": (redaction.measure, "masking of credentials in hostile texts: how the time grows with the size"),
    "scrape": (scrape.measure, "processor time of a scrape of 1,000 checks, and its longest step"),
    "start": (start.measure, "probe commands and imports, as whole processes"),
}


FULL_ONLY = ("heartbeat",)
"""What a quick run leaves out, unless `--only` names it: only a quiet machine shows so small a difference."""


NEEDS_WRK = frozenset({"served", "heartbeat", "tail"})


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: 1 when a measurement failed or `--check` found a limit exceeded."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        _list()
        return 0
    plan, progress = Plan(options.quick), Progress()
    usual = [name for name in MEASUREMENTS if not options.quick or name not in FULL_ONLY]
    chosen = list(dict.fromkeys(options.only or usual))
    if (reason := load.missing()) and NEEDS_WRK.intersection(chosen):
        parser.error(reason)
    described = machine.describe(["python", "-m", "benchmarks", *(sys.argv[1:] if arguments is None else arguments)])
    results = Results()
    for contender in CONTENDERS:
        if contender.missing:
            reason = f"; {held}" if (held := contender.held_back(sys.version_info[:2])) else ""
            results.skip(f"{contender.name}: {', '.join(contender.missing)} is not installed{reason}")
    began = time.monotonic()
    failed: list[str] = []
    for name in chosen:
        measure, _ = MEASUREMENTS[name]
        try:
            results.extend(measure(plan, progress))
        except Exception as error:  # the other measurements still run
            traceback.print_exc()
            failed.append(f"{name}: {type(error).__name__}: {error}")
            results.skip(failed[-1])
    progress.done()
    described["seconds"] = round(time.monotonic() - began)
    print(tables.document(described, results))
    # Git tracks the full runs alone. The folder of any other run is in .gitignore.
    complete = not options.quick and len(chosen) == len(MEASUREMENTS) and not failed
    folder = options.out or (RESULTS if complete else RESULTS / "partial")
    files = report.write(folder, described, results)
    if complete and options.out is None:
        for table in (ANSWER, WAITS):
            insert(table, (folder / table).read_text(), root=ROOT)
    print(f"{described['seconds']} s; written: {', '.join(str(file) for file in files)}", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps({"machine": described, **results.plain()}, indent=1) + "\n")
    objections = bounds.broken(results, chosen) if options.check else []
    for objection in objections:
        print(f"beyond its limit: {objection}", file=sys.stderr)
    return 1 if objections or failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=MEASUREMENTS, metavar="NAME", help="one measurement; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="the most important contenders, in under a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="the folder for results.json, results.md, plots")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a figure is far beyond its target")
    parser.add_argument("--list", action="store_true", help="list measurements and contenders")
    return parser


def _list() -> None:
    for name, (_, text) in MEASUREMENTS.items():
        print(f"{name:12} {text}")
    print()
    for contender in CONTENDERS:
        missing = f"   NOT INSTALLED: {', '.join(contender.missing)}" if contender.missing else ""
        print(f"{contender.name:24} {contender.title}{missing}")


if __name__ == "__main__":
    # cleanup.py cleans up after any end of this process. Python loses the exception of a handler during a fork.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main())
