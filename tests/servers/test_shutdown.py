"""SIGTERM while a check hangs, against the same server with the same app and without any health layer."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from .process import Exit, Running, launched, wait_for_boot, wait_until
from .servers import Server
from .wire import Connection, request

pytestmark = pytest.mark.timeout(120)

CASES = {
    "plain": (),  # no health layer
    "healthy": ("counted",),
    "hangs": ("hangs",),
    "lingers": ("lingers",),
    "clings": ("clings",),
    "blocks": ("blocks",),
}
WARN = b'{"status":"warn"}'


@pytest.fixture(scope="session")
def endings(server: Server) -> Iterator[dict[str, Exit]]:
    """How each case ended; they start, hang and end side by side."""
    with ExitStack() as stack:
        cases = {
            name: stack.enter_context(launched(server, health=name != "plain", checks=checks))
            for name, checks in CASES.items()
        }
        for running in cases.values():
            wait_for_boot(running)
        cases["healthy"].wait_for_status("/readyz", 200)
        for name in ("hangs", "lingers"):
            # Where there is no lifespan, a probe starts the check, and its answer is still out when the signal comes.
            probe = stack.enter_context(Connection(cases[name].address))
            probe.send(request("GET", "/readyz", [("connection", "close")]))
            _wait_for_event(cases[name], name)
        cases["clings"].wait_for_body("/readyz", WARN)
        cases["blocks"].wait_for_body("/readyz", WARN)
        for running in cases.values():
            running.terminate()
        yield {name: running.wait_for_exit() for name, running in cases.items()}


def _wait_for_event(running: Running, event: str) -> None:
    wait_until(lambda: event in running.folder.events, f"{event}\n{running.log}")


def assert_same(end: Exit, plain: Exit) -> None:
    """It ended in time, with all its processes, as it would have without a health layer, and silently."""
    end.assert_quiet()
    assert end.code == plain.code, end.log


def test_the_server_itself_ends_in_time(endings: dict[str, Exit]) -> None:
    assert_same(endings["plain"], endings["plain"])


def test_a_healthy_app_ends_as_it_would_without_checks(endings: dict[str, Exit]) -> None:
    assert_same(endings["healthy"], endings["plain"])


def test_a_check_that_hangs_does_not_delay_exit(endings: dict[str, Exit]) -> None:
    assert_same(endings["hangs"], endings["plain"])


def test_a_check_that_is_slow_to_clean_up_does_not_delay_exit(endings: dict[str, Exit]) -> None:
    assert_same(endings["lingers"], endings["plain"])


def test_a_check_that_swallows_its_cancellation_does_not_delay_exit(endings: dict[str, Exit]) -> None:
    assert_same(endings["clings"], endings["plain"])


def test_a_hung_thread_does_not_delay_exit(endings: dict[str, Exit]) -> None:
    assert_same(endings["blocks"], endings["plain"])


def test_checks_run_between_the_startup_and_the_shutdown_of_the_app(endings: dict[str, Exit], server: Server) -> None:
    events = endings["hangs"].events
    if server.lifespan:
        assert (events[0], events[-1]) == ("startup", "shutdown")
        events = events[1:-1]
        assert events.count("hangs") == events.count("let go")
    assert set(events) <= {"hangs", "let go"}
    assert endings["plain"].events == (["startup", "shutdown"] if server.lifespan else [])
