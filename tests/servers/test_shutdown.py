"""SIGTERM while checks hang, compared with the same server and app without the middleware."""

from contextlib import ExitStack

import pytest

from ..support.waiting import wait_until
from .apps import TOKEN
from .process import Exit, Running, launched, wait_for_boot
from .servers import PARSERS, SERVERS, Server
from .wire import Connection, request

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.parametrize(
        "server", [each for each in SERVERS if each.name not in PARSERS], ids=str, scope="session", indirect=True
    ),
]

CASES = {
    "plain": (),  # without the middleware
    "healthy": ("counted",),
    "under way": ("hangs", "lingers"),
    "timed out": ("uncancellable", "blocks"),
}
AUTHORISED = ("authorization", f"Bearer {TOKEN}")


@pytest.fixture(scope="session")
def endings(server: Server) -> dict[str, Exit]:
    """How each case ended; all run at the same time."""
    with ExitStack() as stack:
        cases = {
            name: stack.enter_context(launched(server, health=name != "plain", checks=checks))
            for name, checks in CASES.items()
        }
        for running in cases.values():
            wait_for_boot(running)
        cases["healthy"].wait_for_status("/readyz", 200)
        # Without lifespan a probe starts the checks, and still waits for its answer when the signal comes.
        probe = stack.enter_context(Connection(cases["under way"].address))
        probe.send(request("GET", "/readyz", [("connection", "close")]))
        under_way, timed_out = cases["under way"], cases["timed out"]
        wait_until(
            lambda: set(CASES["under way"]) <= set(under_way.folder.events), lambda: f"both run\n{under_way.log}"
        )
        wait_until(lambda: failures(timed_out) == len(CASES["timed out"]), lambda: f"both have failed\n{timed_out.log}")
        for running in cases.values():
            running.terminate()
        return {name: running.wait_for_exit() for name, running in cases.items()}


def failures(running: Running) -> int:
    return running.ask("GET", "/readyz?format=text", AUTHORISED).body.count(b"[-]")


def assert_same(end: Exit, plain: Exit) -> None:
    """Check that it ended in time, with all its processes, with the same code as without the middleware."""
    end.assert_quiet()
    assert end.code == plain.code, end.log


def test_a_healthy_app_ends_as_it_would_without_checks(endings: dict[str, Exit]) -> None:
    endings["plain"].assert_quiet()
    assert_same(endings["healthy"], endings["plain"])


def test_checks_that_hang_or_are_slow_to_clean_up_do_not_delay_exit(endings: dict[str, Exit]) -> None:
    assert_same(endings["under way"], endings["plain"])


def test_a_check_that_ignores_its_cancellation_and_a_hung_thread_do_not_delay_exit(endings: dict[str, Exit]) -> None:
    assert_same(endings["timed out"], endings["plain"])


def test_checks_run_between_the_startup_and_the_shutdown_of_the_app(endings: dict[str, Exit], server: Server) -> None:
    events = endings["under way"].events
    if server.lifespan:
        assert (events[0], events[-1]) == ("startup", "shutdown")
        events = events[1:-1]
        assert events.count("hangs") == events.count("cancelled")
    assert set(events) <= {"hangs", "cancelled", "lingers"}
    assert endings["plain"].events == (["startup", "shutdown"] if server.lifespan else [])
