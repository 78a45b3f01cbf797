"""The cost of an answer without sockets, and what a contender adds to other requests of its app."""

from collections import defaultdict
from contextlib import ExitStack

from .contenders import LIMIT
from .figures import Figure, Results
from .plan import Plan, Progress
from .processes import Worker
from .stats import ratios, spread

CASES = ("GET ready", "HEAD ready", "GET live", "GET verbose")
LOAD = 100_000
"""Probes sent to count the runs of the check that they cause; a hundredth of it where an answer costs more."""


def measure(plan: Plan, progress: Progress) -> Results:
    """Measure every contender against the limit, side by side in its own process."""
    results = Results()
    samples: dict[tuple[str, str], list[dict[str, float]]] = {}
    allocations: dict[tuple[str, str], list[float]] = {}
    statuses: dict[tuple[str, str], int] = {}
    loads: dict[str, tuple[int, int]] = {}
    cases = CASES if not plan.quick else ("GET ready", "GET verbose")
    contenders = plan.contenders(
        "fastapi-awaits",
        "asgi-health",
        "asgi-health, all on",
        "asgi-health, board",
        "asgi-health+fastapi",
        "probirka",
    )
    # Each generation is a new set of processes, because the memory layout of one process is a sample of one.
    for generation in range(plan.times(3, 1)):
        with ExitStack() as stack:
            workers = {}
            for contender in contenders:
                progress.step(f"in-process: starting {contender.name}")
                workers[contender] = stack.enter_context(Worker("in-process", contender.name))
            for contender in list(workers):
                try:
                    for case in cases:
                        statuses[contender.name, case] = workers[contender].ask(do="status", case=case)["status"]
                except RuntimeError as error:
                    results.skip(f"in-process: {error}")
                    del workers[contender]
            for turn in range(plan.times(4, 3)):
                order = list(workers.items())
                if turn % 2:
                    order.reverse()
                for contender, worker in order:
                    progress.step(f"in-process: {generation + 1}.{turn + 1} {contender.name}")
                    for case in cases:
                        if statuses[contender.name, case] == 200:
                            answer = worker.ask(do="answer", case=case, seconds=plan.pick(0.02, 0.015))
                            samples.setdefault((contender.name, case), []).append(dict(answer))
                    if contender.base is not None:
                        answer = worker.ask(do="other", seconds=plan.pick(0.02, 0.015))
                        samples.setdefault((contender.name, "other"), []).append(dict(answer))
            if generation == 0:
                for contender, worker in workers.items():
                    progress.step(f"in-process: allocations and load, {contender.name}")
                    for case in cases:
                        if statuses[contender.name, case] == 200:
                            allocations[contender.name, case] = [worker.ask(do="allocated", case=case)["bytes"]]
                    if contender.checks:
                        probes = int(plan.pick(LOAD, LOAD // 10)) if contender.ours else LOAD // 100
                        loads[contender.name] = probes, worker.ask(do="load", probes=probes)["runs"]
    _report_answers(results, samples, statuses, allocations)
    _report_others(results, samples)
    for name, (probes, runs) in loads.items():
        per = spread([runs * LOAD / probes])
        note = "" if probes == LOAD else f"{runs:,} in {probes:,}"
        results.add(Figure("load", f"{LOAD:,} probes", name, "runs of the check", per, note=note))
    return results


def _report_answers(
    results: Results,
    samples: dict[tuple[str, str], list[dict[str, float]]],
    statuses: dict[tuple[str, str], int],
    allocations: dict[tuple[str, str], list[float]],
) -> None:
    others: dict[tuple[str, int], list[str]] = defaultdict(list)
    for (name, case), status in statuses.items():
        if status == 0:
            continue
        if status != 200:
            others[case, status].append(name)
            continue
        taken = samples[name, case]
        values = [each["contender"] for each in taken]
        limits = [each["limit"] for each in taken]
        results.add(Figure("answer", case, name, "ns", spread(values), ratios(values, limits), LIMIT.name))
        results.add(Figure("allocated", case, name, "bytes", spread(allocations[name, case])))
    for (case, status), names in others.items():
        results.skip(f"answer, {case}: {', '.join(names)} answer{'s' if len(names) == 1 else ''} {status}")


def _report_others(results: Results, samples: dict[tuple[str, str], list[dict[str, float]]]) -> None:
    for (name, case), taken in samples.items():
        if case == "other" and name != LIMIT.name:
            added = [each["contender"] - each["base"] for each in taken]
            limits = [each["limit"] for each in taken]
            results.add(Figure("pass-through", "added", name, "ns", spread(added), ratios(added, limits), LIMIT.name))
