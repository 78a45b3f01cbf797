"""A dependency fails and recovers while the server runs."""

import pytest

from ..support.waiting import wait_until
from .process import Running
from .wire import Connection

pytestmark = pytest.mark.timeout(60)


def test_readiness_follows_the_dependency_and_liveness_does_not(running: Running) -> None:
    with Connection(running.address) as kept:
        assert kept.ask("GET", "/readyz").status == 200
        running.folder.broken.touch()
        try:
            wait_until(lambda: kept.ask("GET", "/readyz").status == 503, "503 on the same connection")
            assert running.ask("GET", "/readyz").body == b'{"status":"fail"}'
            assert running.status("/health") == 503
            assert running.status("/livez") == 200
            assert running.status("/startupz") == 200
            assert running.status("/ordinary") == 200
        finally:
            running.folder.broken.unlink()
        wait_until(lambda: kept.ask("HEAD", "/readyz").status == 200, "200 on the same connection")
    assert running.ask("GET", "/readyz").body == b'{"status":"pass"}'
    assert running.status("/health") == 200


def test_checks_run_on_their_schedule(running: Running) -> None:
    """With a lifespan without any probe, and without one with the next probes."""
    before = running.folder.events.count("regular")

    def went_on() -> bool:
        if not running.server.lifespan:
            running.status("/readyz")
        return running.folder.events.count("regular") >= before + 2

    wait_until(went_on, "the check ran twice more")


def test_the_log_says_once_how_the_checks_run(running: Running) -> None:
    running.wait_for_status("/readyz", 200)
    mode, other = "checks run in the background", "checks run on demand"
    if not running.server.lifespan:
        mode, other = other, mode
    assert running.log.count(mode) == 1
    assert other not in running.log
