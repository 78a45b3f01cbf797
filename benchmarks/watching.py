"""The cost of checks while no probe comes, and its growth with their number."""

import time
from contextlib import ExitStack

from .contenders import LOOPS, find_contender
from .figures import Figure, Results
from .plan import Plan, Progress
from .processes import Worker
from .stats import exponent, ratios, spread

OURS = "asgi-health"
ALL_ON = "asgi-health, all on"
BOARD = "asgi-health, board"
CHECKS = 1000
"""Number of checks that are compared with as many bare loops."""
PEER = "fastapi-watch"
"""The only other contender that documents that it runs checks in the background."""


def measure(plan: Plan, progress: Progress) -> Results:
    """Measure processor and memory of idle processes, and the cost of a run."""
    results = Results()
    if not plan.quick:
        _idle(progress, results)
    _against_loops(plan, progress, results)
    _changes(plan, progress, results)
    _growth(plan, progress, results)
    return results


def _idle(progress: Progress, results: Results) -> None:
    # The processes mostly sleep, so all sizes run at the same time. Each has its own processor time.
    interval, window = 10.0, 22.0
    sizes = (0, 1, 100, 1000, 10_000)
    wanted = [("limit", 0), *((OURS, size) for size in sizes), (BOARD, 0), (BOARD, 1)]
    if not find_contender(PEER).missing:
        wanted += [(PEER, size) for size in sizes if size in (0, 100, 1000)]
        wanted.append(("fastapi", 0))
    with ExitStack() as stack:
        workers = {}
        for name, size in wanted:
            progress.step(f"watching: starting {name} with {size:,} checks")
            workers[name, size] = stack.enter_context(Worker("watching", name, str(size), str(interval)))
        before = {each: worker.ask(do="mark") for each, worker in workers.items()}
        began = time.monotonic()
        while (left := began + window - time.monotonic()) > 0:
            progress.step(f"watching: idle processes, {left:.0f} s")
            time.sleep(min(1.0, left))
        after = {each: worker.ask(do="mark") for each, worker in workers.items()}
    seconds = {each: after[each]["clock"] - before[each]["clock"] for each in workers}
    shares = {each: (after[each]["cpu"] - before[each]["cpu"]) / seconds[each] for each in workers}
    for name, nothing in ((OURS, ("limit", 0)), (BOARD, ("limit", 0)), (PEER, ("fastapi", 0))):
        mine = [size for known, size in workers if known == name and size > 0]
        if not mine:
            continue
        package = after[name, 0]["resident"] - after[nothing]["resident"]
        results.add(Figure("watching", "no checks", name, "MiB", spread([package / 2**20])))
        cpu, memory = [], []
        for size in mine:
            each = name, size
            cpu.append(max(1e-9, shares[each] - shares[nothing]))
            memory.append(max(1.0, after[each]["resident"] - after[nothing]["resident"]))
            case = f"{size:,} check{'' if size == 1 else 's'} at 10 s"
            results.add(Figure("watching", case, name, "% of a core", spread([100 * cpu[-1]])))
            results.add(Figure("watching", case, name, "MiB", spread([memory[-1] / 2**20])))
            runs = after[each]["runs"] - before[each]["runs"]
            if size >= 100 and runs:
                per_run = 1e6 * (shares[each] - shares[nothing]) * seconds[each] / runs
                results.add(Figure("per run", f"{size:,} checks", name, "µs", spread([per_run]), note=f"{runs:,} runs"))
        own = [after[name, size]["resident"] - after[name, 0]["resident"] for size in mine]
        large = [place for place, size in enumerate(mine) if size >= 100]
        _fit(results, "processor", name, [mine[place] for place in large], [cpu[place] for place in large])
        _fit(results, "memory", name, [mine[place] for place in large], [own[place] for place in large])


def _against_loops(plan: Plan, progress: Progress, results: Results) -> None:
    """Measure the processor time of a run of a check against that of a run in a bare loop, at the same time."""
    for interval, window, turns in ((1.0, 1.0, 4),) if plan.quick else ((10.0, 12.0, 3), (1.0, 2.0, 6)):
        costs: dict[str, list[float]] = {OURS: [], ALL_ON: [], BOARD: [], LOOPS.name: []}
        with ExitStack() as stack:
            progress.step(f"watching: starting {CHECKS:,} checks and as many loops, every {interval:g} s")
            workers = {
                name: stack.enter_context(Worker("watching", name, str(CHECKS), str(interval))) for name in costs
            }
            marks = {name: worker.ask(do="spent") for name, worker in workers.items()}
            for turn in range(turns):
                progress.step(f"watching: {CHECKS:,} checks and as many loops, every {interval:g} s, {turn + 1}")
                time.sleep(window)
                for name, worker in workers.items():
                    before, marks[name] = marks[name], worker.ask(do="spent")
                    runs = marks[name]["runs"] - before["runs"]
                    costs[name].append(1e6 * (marks[name]["cpu"] - before["cpu"]) / max(1, runs))
        for name, values in costs.items():
            compared = ratios(values, costs[LOOPS.name])
            case = f"{CHECKS:,} checks at {interval:g} s"
            results.add(Figure("run", case, name, "µs", spread(values), compared, LOOPS.title))


def _changes(plan: Plan, progress: Progress, results: Results) -> None:
    sizes = (1, 1000) if plan.quick else (1, 100, 1000, 10_000)
    samples: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
    with Worker("simulated") as worker:
        for turn in range(plan.times(5, 2)):
            for size in sizes:
                progress.step(f"watching: a change of state among {size:,} checks, {turn + 1}")
                samples[size].append(dict(worker.ask(do="change", checks=size)))
    for key, case in (("change", "a result that changes a status"), ("repeat", "a result that changes nothing")):
        one = [each[key] for each in samples[1]]
        for size in sizes:
            values = [each[key] for each in samples[size]]
            name = f"among {size:,}"
            results.add(Figure(case, name, OURS, "ns", spread(values), ratios(values, one), "among 1"))
        medians = [spread([each[key] for each in samples[size]]).median for size in sizes]
        _fit(results, case, OURS, [float(size) for size in sizes], medians)


def _growth(plan: Plan, progress: Progress, results: Results) -> None:
    hours = plan.times(24, 2)
    progress.step(f"watching: {hours} hours in a simulated clock")
    for name in (OURS, BOARD):
        with Worker("simulated") as worker:
            answer = worker.ask(do="hours", hours=hours, board=name == BOARD)
        blocks = spread([answer["last"] / answer["first"]])
        note = f"after {hours} h, {answer['runs']:,} runs"
        if name == BOARD:
            note += f", {answer['turns']:,} turns"
        results.add(Figure("simulated", "memory blocks", name, "× after 1 h", blocks, note=note))


def _fit(results: Results, what: str, name: str, sizes: list[float] | list[int], costs: list[float]) -> None:
    try:
        grown = exponent(sizes, costs)
    except ValueError:
        return
    results.add(Figure("growth", what, name, "exponent", spread([grown]), note=f"from {min(sizes):,.0f} checks"))
