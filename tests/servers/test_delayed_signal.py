"""A SIGTERM that a drain delays, on each server: it is always passed on, after the longest of several drains.

For each server all cases run at the same time, in a process each, and the tests check the results.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from benchmarks.rolling.app import Settings
from benchmarks.rolling.backend import held_port, launched
from benchmarks.rolling.servers import DAPHNE, SERVERS, UVICORN_WORKERS

from ..support.waiting import wait_until
from .process import Exit, Running
from .servers import Server
from .workers import PARSERS, wait_until_draining, wait_until_ready

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(120)]

SHORT, LONG = {"delay": 0.5}, {"delay": 2.0}

CASES: dict[str, dict[str, Any]] = {
    "breaks": {"drain": LONG, "breaks": True},
    "the inner one is longer": {"drain": SHORT, "inner": LONG},
    "the outer one is longer": {"drain": LONG, "inner": SHORT},
}


@dataclass
class Results:
    """What was observed in each case."""

    probes: list[int]  # during the drain
    ordinary: int
    exits: dict[str, Exit]
    lasted: dict[str, float]  # seconds from SIGTERM to the exit


@pytest.fixture(scope="module", params=[each for each in SERVERS if each.name not in PARSERS], ids=str)
def drainer(request: pytest.FixtureRequest) -> Server:
    row: Server = request.param
    return row


@pytest.fixture(scope="module")
def results(drainer: Server) -> Results:
    names = [name for name in CASES if drainer.lifespan or name != "breaks"]
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        all_of = {
            name: stack.enter_context(launched(drainer, stack.enter_context(held_port()), Settings(**CASES[name])))
            for name in names
        }
        for running in all_of.values():
            wait_until_ready(running)
        begun = time.monotonic()
        for running in all_of.values():
            running.terminate()
        watched = all_of[names[0]]
        wait_until_draining(watched)
        if drainer.lifespan:
            (watched.folder.path / "break").touch()
            workers = 2 if drainer is UVICORN_WORKERS else 1
            wait_until(lambda: watched.folder.events.count("broken") == workers, "its lifespan has raised")
        ends = {name: pool.submit(ended, running) for name, running in all_of.items()}
        probes = [watched.status(path) for path in ("/livez", "/readyz")]
        ordinary = watched.status("/ordinary")
        exits = {name: end.result() for name, end in ends.items()}
    return Results(
        probes=probes,
        ordinary=ordinary,
        exits={name: end for name, (end, _) in exits.items()},
        lasted={name: at - begun for name, (_, at) in exits.items()},
    )


def ended(running: Running) -> tuple[Exit, float]:
    end = running.wait_for_exit()
    return end, time.monotonic()


def test_a_server_ends_although_the_lifespan_raises_during_a_drain(results: Results, drainer: Server) -> None:
    if drainer is DAPHNE:
        assert "breaks" not in results.exits  # it sends no lifespan
        return
    end = results.exits["breaks"]
    assert end.code is not None, f"it still runs\n{end.log}"
    assert end.alone
    assert results.lasted["breaks"] >= LONG["delay"]


def test_during_the_drain_it_serves_and_is_not_ready(results: Results) -> None:
    assert (results.probes, results.ordinary) == ([200, 503], 200)


@pytest.mark.parametrize("case", [case for case in CASES if case != "breaks"])
def test_the_signal_is_passed_on_after_the_longer_of_two_drains(case: str, results: Results) -> None:
    results.exits[case].assert_quiet()
    assert results.lasted[case] >= LONG["delay"]


def test_the_server_ends_with_the_same_code_in_each_case(results: Results) -> None:
    assert len({end.code for end in results.exits.values()}) == 1
