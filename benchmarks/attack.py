"""The wait of an honest probe while other clients attack: the listener against the app's own port.

`python -m benchmarks.attack` also prints the wait at two servers that could replace the listener: uvicorn in a thread.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory

from . import tables
from .attacked import KINDS
from .attackers import ATTACKS
from .figures import Figure, Results
from .plan import Plan, Progress
from .prober import Probe, probe_at
from .processes import end, folder, start
from .servers import HOST, free_port, missing
from .stats import ratios, spread

UNIX = ", unix socket"
OURS, AGAINST = "listener", "uvicorn"
TITLES = {
    "listener": "the listener",
    "uvicorn": "uvicorn's own port",
    "thread, h11": "uvicorn (h11) in a thread",
    "thread, httptools": "uvicorn (httptools) in a thread",
}
LEAST = 0.05
"""Seconds up to which all waits count as the same: a busy machine takes as long, and a kubelet waits for 1 s."""

GIVEN_UP = 2.0
"""Seconds after which a probe gives up; four times the target."""

CASES = (*ATTACKS, f"40 pipeline{UNIX}", f"300 pipeline{UNIX}")


def measure(plan: Plan, progress: Progress) -> Results:
    """Measure the longest wait of a probe under each attack, one server after the other."""
    cases = ("40 pipeline",) if plan.quick else CASES
    return _measure((OURS, AGAINST), cases, 1, progress)


def _measure(kinds: Sequence[str], cases: Sequence[str], turns: int, progress: Progress) -> Results:
    results = Results()
    if lacking := missing("uvicorn"):
        results.skip(f"attack: not measured, {', '.join(lacking)} is not installed")
        return results
    for case in cases:
        probes: dict[str, list[list[Probe]]] = {kind: [] for kind in kinds}
        for turn in range(turns):
            for kind in reversed(kinds) if turn % 2 else kinds:
                progress.step(f"attack: {case}, {turn + 1}, {TITLES[kind]}")
                try:
                    probes[kind].append(under_attack(kind, case))
                except RuntimeError as error:
                    results.skip(f"attack: {case}, {TITLES[kind]}: {error}")
        _add(results, case, probes)
    return results


def _add(results: Results, case: str, probes: dict[str, list[list[Probe]]]) -> None:
    waits = {kind: [max(map(_wait_of, turn)) for turn in turns] for kind, turns in probes.items()}
    for kind, values in waits.items():
        if not values:
            continue
        whole = [each for turn in probes[kind] for each in turn]
        failed = sum(each.status != 200 for each in whole)
        compared = None
        if len(values) == len(waits[AGAINST]):
            compared = ratios(*([max(LEAST, each) for each in side] for side in (values, waits[AGAINST])))
        measured = spread([1000 * value for value in values])
        note = f"{failed / len(whole):.0%} failed" if failed else ""
        results.add(Figure("attack", case, TITLES[kind], "ms", measured, compared, TITLES[AGAINST], note))


def _wait_of(probe: Probe) -> float:
    """Return the seconds that a probe waited. One that failed counts as given up, however early it failed."""
    return probe.seconds if probe.status == 200 else GIVEN_UP


def under_attack(kind: str, case: str) -> list[Probe]:
    """Return what became of the probes at a server of that kind during an attack."""
    with ExitStack() as stack:
        temporary = stack.enter_context(TemporaryDirectory(dir=folder()))
        address = f"{temporary}/socket" if case.endswith(UNIX) else f"{HOST}:{free_port()}"
        stack.enter_context(_running("benchmarks.attacked", kind, address, first=True))
        _wait(address)
        attackers = stack.enter_context(_running("benchmarks.attackers", case.removesuffix(UNIX), address, first=False))
        assert attackers.stdout is not None
        if attackers.stdout.readline() != b"started\n":
            raise RuntimeError("the attackers did not start")
        return asyncio.run(_probes(address))


async def _probes(address: str) -> list[Probe]:
    """Send twenty probes in a second, without waiting for the answers of the earlier ones."""
    probes = []
    for _ in range(20):
        probes.append(asyncio.create_task(probe_at(address, "/livez", GIVEN_UP)))
        await asyncio.sleep(0.05)
    return list(await asyncio.gather(*probes))


def _wait(address: str) -> None:
    end = time.monotonic() + 15.0
    while asyncio.run(probe_at(address, "/livez")).status != 200:
        if time.monotonic() > end:
            raise RuntimeError(f"no answer from {address} within 15 s")
        time.sleep(0.05)


@contextmanager
def _running(module: str, *arguments: str, first: bool) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", module, *arguments]
    process = start(command, first=first, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        end(process)


def main() -> None:
    """Print the attacks with every server that could replace the listener."""
    progress = Progress()
    results = _measure(tuple(KINDS), CASES, 2, progress)
    progress.done()
    rows = []
    for case in CASES:
        figures = [results.find("attack", case, TITLES[kind]) for kind in KINDS]
        rows.append([case, *("" if each is None else tables.cell(each) for each in figures)])
    print(tables.table(["the longest wait, ms", *(TITLES[kind] for kind in KINDS)], rows))
    for what in results.skipped:
        print(f"not measured: {what}")


if __name__ == "__main__":
    main()
