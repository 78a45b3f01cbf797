"""Probes per second, their latencies and the processor time of the server, over loopback, under real servers."""

from contextlib import ExitStack
from dataclasses import dataclass, field

from . import load
from .contenders import LIMIT, Contender
from .figures import Figure, Results
from .plan import Plan, Progress
from .servers import COMMANDS, Server, missing, start
from .stats import ratios, spread

CORE = (
    "limit",
    "fastapi-awaits",
    "asgi-health",
    "asgi-health, all on",
    "asgi-health, board",
    "asgi-health+fastapi",
)
"""The contenders that are measured under every server and with every number of connections."""
QUICK = ("limit", "fastapi-awaits", "asgi-health", "asgi-health, all on", "asgi-health, board")


@dataclass(frozen=True)
class Shape:
    """The number of connections, and whether each probe opens a new one."""

    connections: int
    close: bool = False

    def __str__(self) -> str:
        return f"{self.connections} {'new' if self.close else 'kept'}"


SHAPES = tuple(Shape(connections, close) for close in (False, True) for connections in (1, 16, 256))
MIDDLE = (Shape(16), Shape(16, close=True))


@dataclass
class Samples:
    per_second: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    """Microseconds of the server's process per probe."""
    latency: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in load.PERCENTILES})


def measure(plan: Plan, progress: Progress) -> Results:
    """Measure each contender under uvicorn, and the most important ones under all servers."""
    results = Results()
    for server in ("uvicorn",) if plan.quick else COMMANDS:
        if lacking := missing(server):
            results.skip(f"served: {server} is not measured, {', '.join(lacking)} is not installed")
            continue
        chosen = plan.contenders(*QUICK)
        if server != "uvicorn":
            chosen = [contender for contender in chosen if contender.name in CORE]
        _measure_server(server, chosen, plan, progress, results)
    return results


def _measure_server(server: str, chosen: list[Contender], plan: Plan, progress: Progress, results: Results) -> None:
    samples: dict[tuple[str, Shape], Samples] = {}
    with ExitStack() as stack:
        progress.step(f"served: starting {server}")
        up = start(stack, [Server(contender, server) for contender in chosen], results.skip)
        shapes = (Shape(16),) if plan.quick else SHAPES
        for turn in range(plan.times(4 if server == "uvicorn" else 3, 4)):
            for shape in shapes:
                order = [each for each in up if shape in MIDDLE or each.contender.name in CORE]
                for each in reversed(order) if turn % 2 else order:
                    progress.step(f"served: {server} {turn + 1}, {shape}, {each.contender.name}")
                    try:
                        before = each.cpu
                        result = load.run(each.url, shape.connections, 0.5, close=shape.close)
                        spent = each.cpu - before
                    except RuntimeError as error:
                        results.skip(f"served: {server}, {shape}, {each.contender.name}: {error}")
                        continue
                    if result.bad or result.errors > 0.001 * result.per_second:
                        results.skip(f"served: {server}, {shape}, {each.contender.name}: NOT CLEAN, some probes failed")
                    taken = samples.setdefault((each.contender.name, shape), Samples())
                    taken.per_second.append(result.per_second)
                    # Of uvicorn only: the workers of granian are other processes.
                    if server == "uvicorn" and spent:
                        taken.processor.append(1e6 * spent / result.requests)
                    for name, values in taken.latency.items():
                        values.append(result.latency[name])
    _report(server, samples, results)


def _report(server: str, samples: dict[tuple[str, Shape], Samples], results: Results) -> None:
    for (name, shape), taken in samples.items():
        limit = samples.get((LIMIT.name, shape))
        comparable = limit is not None and len(limit.per_second) == len(taken.per_second)
        assert limit is not None or not comparable
        against = LIMIT.name if comparable else ""

        results.add(
            Figure(
                f"served, {server}",
                str(shape),
                name,
                "probes/s",
                spread(taken.per_second),
                ratios(taken.per_second, limit.per_second) if limit is not None and comparable else None,
                against,
            )
        )
        if taken.processor:
            results.add(
                Figure(
                    f"processor, {server}",
                    str(shape),
                    name,
                    "µs",
                    spread(taken.processor),
                    ratios(taken.processor, limit.processor) if limit is not None and comparable else None,
                    against,
                )
            )
        for which, values in taken.latency.items():
            results.add(
                Figure(
                    f"latency, {server}, {shape}",
                    which,
                    name,
                    "µs",
                    spread(values),
                    ratios(values, limit.latency[which]) if limit is not None and comparable else None,
                    against,
                )
            )
