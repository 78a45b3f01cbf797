"""The cost of the loop's heartbeat and of the watchdog to a request: the same app with and without them."""

from contextlib import ExitStack

from . import load
from .contenders import find_contender
from .figures import Figure, Results
from .plan import Plan, Progress
from .servers import Server, missing, start
from .stats import ratios, spread

OFF, ON = "slow_loop=0", "slow_loop=1.0"
WHAT = {"probes/s": "16 kept", "µs": "p99, 16 kept"}


def measure(plan: Plan, progress: Progress) -> Results:
    """Measure one app under uvicorn, in pairs whose order changes: off and on, on and off."""
    results = Results()
    if lacking := missing("uvicorn"):
        results.skip(f"heartbeat: not measured, {', '.join(lacking)} is not installed")
        return results
    contender = find_contender("asgi-health")
    taken: dict[str, dict[str, list[float]]] = {name: {unit: [] for unit in WHAT} for name in (OFF, ON)}
    with ExitStack() as stack:
        progress.step("heartbeat: starting uvicorn")
        up = start(stack, [Server(contender, slow_loop=0.0), Server(contender, slow_loop=1.0)], results.skip)
        if len(up) < 2:
            return results
        pair = [*zip((OFF, ON), up, strict=True)]
        for turn in range(plan.times(20, 8)):
            for name, server in reversed(pair) if turn % 2 else pair:
                progress.step(f"heartbeat: {turn + 1}, {name}")
                result = load.run(server.url, 16, plan.pick(1.0, 0.4))
                taken[name]["probes/s"].append(result.per_second)
                taken[name]["µs"].append(result.latency["p99"])
    for name, units in taken.items():
        for unit, values in units.items():
            ratio = ratios(values, taken[OFF][unit])
            results.add(Figure("heartbeat, uvicorn", WHAT[unit], name, unit, spread(values), ratio, OFF))
    return results
