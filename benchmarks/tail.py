"""The tail: the longest wait of a probe, and the calls of the dependency, under faults."""

import asyncio
import http.client
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from statistics import fmean
from threading import Event, Thread

from . import load, prober
from .contenders import LIMIT, Contender, find_contender
from .dependency import Mode
from .figures import Figure, Results
from .plan import Plan, Progress
from .servers import HOST, Server, missing, start
from .setup import METRICS, WORK
from .stats import percentile, ratios, spread
from .watchers import watching

FULL = "asgi-health+fastapi"
"""The contender of asgi-health that is closest to the peers: around a real framework."""
SIZES = (1, 100, 1000)
BURST = 50
SCRAPED = "1,000 checks at 10 s, scraped each second"
EXPLAINED = "1,000 checks at 10 s, scraped and explained each second"
WATCHERS = 50
WATCHED = f"1,000 checks at 10 s, watched by {WATCHERS}"
READ_PAUSE = 1.0
"""Seconds between two scrapes, or between two reads of everything. Prometheus scrapes each 15 s or 60 s."""
ALL_ON = "asgi-health, all on"
BOARD = "asgi-health, board"
ON_BOARD = "1,000 checks at 10 s, with a board"
EXPLAIN = "/health?explain"
EXPIRY = 1.0
"""Seconds for which a result is valid here: the interval of a schedule, or the time to live of a cache."""


def measure(plan: Plan, progress: Progress) -> Results:
    """Measure under uvicorn how long a probe waits when its dependency, its checks or its app misbehave."""
    results = Results()
    if lacking := missing("uvicorn"):
        results.skip(f"tail: not measured, {', '.join(lacking)} is not installed")
        return results
    chosen = [
        contender
        for contender in plan.contenders("limit", "fastapi-awaits", "asgi-health+fastapi")
        if contender is LIMIT or (contender.checks and (not contender.ours or contender.name == FULL))
    ]
    _misbehaviour(chosen, plan, progress, results)
    if not plan.quick:
        _saturation(chosen, progress, results)
        _many_checks(chosen, progress, results)
        _during(progress, results)
    return results


# -- the dependency misbehaves: the processors are idle, so all contenders are probed at the same time


def _misbehaviour(chosen: list[Contender], plan: Plan, progress: Progress, results: Results) -> None:
    with ExitStack() as stack:
        progress.step("tail: starting servers")
        up = start(stack, [Server(contender, interval=EXPIRY) for contender in chosen], results.skip)
        asyncio.run(_bursts(up, plan.times(5, 1), progress, results))
        progress.step("tail: the dependency hangs")
        asyncio.run(_hang(up, Mode.HANGS, "dependency hangs", plan, results))
    if plan.quick:
        return
    with ExitStack() as stack:
        up = start(stack, [Server(contender, interval=EXPIRY) for contender in chosen], results.skip)
        progress.step("tail: the check ignores its cancellation")
        asyncio.run(_hang(up, Mode.IGNORES_CANCELLATION, "check ignores cancellation", plan, results))


async def _bursts(up: list[Server], turns: int, progress: Progress, results: Results) -> None:
    waits: dict[str, list[float]] = {each.contender.name: [] for each in up}
    runs: dict[str, list[float]] = {each.contender.name: [] for each in up}
    for each in up:
        each.state.mode = Mode.SLOW
    for turn in range(turns):
        progress.step(f"tail: {BURST} probes at once when the cache has expired, {turn + 1}")
        await asyncio.sleep(1.2 * EXPIRY)
        for each in up:
            before = each.state.runs
            probes = await prober.burst(each.port, each.contender.ready, BURST)
            runs[each.contender.name].append(each.state.runs - before)
            waits[each.contender.name].append(max(result.seconds for result in probes))
    case = f"{BURST} probes as the cache expires"
    for name, values in waits.items():
        results.add(Figure("tail", case, name, "ms", spread([1000 * value for value in values])))
        if name != LIMIT.name:
            results.add(Figure("runs", case, name, "runs", spread(runs[name])))


async def _hang(up: list[Server], mode: Mode, case: str, plan: Plan, results: Results) -> None:
    for each in up:
        each.state.mode = mode
    await asyncio.sleep(1.2 * EXPIRY)
    before = {each.contender.name: each.state.runs for each in up}
    timeout = plan.pick(prober.TIMEOUT, 2.5)
    seconds = plan.pick(4.0, 1.5)
    taken = await asyncio.gather(
        *(prober.stream(each.port, each.contender.ready, 0.1, seconds, timeout) for each in up)
    )
    for each, probes in zip(up, taken, strict=True):
        longest = max(result.seconds for result in probes)
        late = fmean(result.seconds > 1.0 for result in probes)
        note = f"{late:.0%} over 1 s" if late else ""
        if longest >= timeout:
            note = f"given up; {note}"
        results.add(Figure("tail", case, each.contender.name, "ms", spread([1000 * longest]), note=note))
        if each.contender is not LIMIT:
            runs = each.state.runs - before[each.contender.name]
            results.add(
                Figure("runs", case, each.contender.name, "runs", spread([runs]), note=f"for {len(probes)} probes")
            )


# -- the app is busy with its own requests: one contender at a time


def _saturation(chosen: list[Contender], progress: Progress, results: Results) -> None:
    for contender in chosen:
        progress.step(f"tail: the app is saturated, {contender.name}")
        with ExitStack() as stack:
            for server in start(stack, [Server(contender, interval=EXPIRY)], results.skip):
                noise = load.Running(f"http://{HOST}:{server.port}{WORK}", 32, 3.0)
                try:
                    probes = asyncio.run(prober.stream(server.port, contender.ready, 0.02, 2.5))
                    noise.result()
                finally:
                    noise.close()
                waits = [1000 * result.seconds for result in probes]
                results.add(Figure("tail", "app saturated", contender.name, "ms", spread([max(waits)])))
                results.add(
                    Figure("tail", "app saturated, p99", contender.name, "ms", spread([percentile(waits, 0.99)]))
                )


# -- many checks: 16 kept connections


def _many_checks(chosen: list[Contender], progress: Progress, results: Results) -> None:
    samples: dict[tuple[str, int], list[float]] = {}
    for contender in chosen:
        if not contender.checks:
            continue
        with ExitStack() as stack:
            progress.step(f"tail: starting {contender.name} with up to 1,000 checks")
            sizes = {Server(contender, checks=size): size for size in SIZES}
            up = start(stack, list(sizes), results.skip)
            for turn in range(2):
                for server in up:
                    size = sizes[server]
                    progress.step(f"tail: {turn + 1}, {size} checks, {contender.name}")
                    try:
                        taken = load.run(server.url, 16, 1.2 if size == max(SIZES) else 0.6)
                    except RuntimeError as error:
                        results.skip(f"tail: {size:,} checks, {contender.name}: {error}")
                    else:
                        samples.setdefault((contender.name, size), []).append(taken.latency["p99"] / 1000)
    for (name, size), values in samples.items():
        case = f"{size:,} check{'' if size == 1 else 's'}"
        one = samples.get((name, 1), [])
        compared = ratios(values, one) if len(one) == len(values) else None
        results.add(Figure("checks", case, name, "ms", spread(values), compared, "1 check"))


# -- the p99 of asgi-health with and without checks


@contextmanager
def _read(server: Server, *paths: str) -> Generator[None]:
    """Read `paths` of `server` once a second, as 15 Prometheus servers would, until the end of the block."""
    ended = Event()

    def read() -> None:
        while not ended.wait(READ_PAUSE):
            for path in paths:
                connection = http.client.HTTPConnection(HOST, server.port, timeout=5.0)
                try:
                    connection.request("GET", path, headers={"Accept": "application/openmetrics-text"})
                    connection.getresponse().read()
                except (OSError, http.client.HTTPException):
                    continue  # the server ends
                finally:
                    connection.close()

    thread = Thread(target=read, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _during(progress: Progress, results: Results) -> None:
    contender, all_on = find_contender("asgi-health"), find_contender(ALL_ON)
    cases = {
        "no checks": Server(contender, checks=0),
        "1 check that hangs": Server(contender, checks=1, interval=EXPIRY),
        "1,000 checks at 10 s": Server(contender, checks=1000),
        SCRAPED: Server(contender, checks=1000, metrics=True),
        EXPLAINED: Server(all_on, checks=1000),
        WATCHED: Server(all_on, checks=1000),
        ON_BOARD: Server(find_contender(BOARD), checks=1000),
    }
    samples: dict[tuple[str, int], list[float]] = {}
    with ExitStack() as stack:
        progress.step("tail: starting asgi-health")
        up = start(stack, list(cases.values()), results.skip)
        cases["1 check that hangs"].state.mode = Mode.HANGS
        stack.enter_context(_read(cases[SCRAPED], METRICS))
        stack.enter_context(_read(cases[EXPLAINED], METRICS, EXPLAIN))
        stack.enter_context(watching(cases[WATCHED].port, WATCHERS))
        for turn in range(6):
            order = list(cases.items())
            for case, server in reversed(order) if turn % 2 else order:
                if server in up:
                    for connections in (16, 256):
                        progress.step(f"tail: p99, {turn + 1}, {case}, {connections} connections")
                        try:
                            taken = load.run(server.url, connections, 0.6)
                        except RuntimeError as error:
                            results.skip(f"tail: p99, {case}, {connections} connections: {error}")
                        else:
                            samples.setdefault((case, connections), []).append(taken.latency["p99"] / 1000)
    for (case, connections), values in samples.items():
        quiet = samples.get(("no checks", connections), [])
        if len(quiet) == len(values):
            results.add(
                Figure(
                    "p99",
                    f"{case}, {connections} connections",
                    cases[case].contender.name,
                    "ms",
                    spread(values),
                    ratios(values, quiet),
                    "no checks",
                )
            )
