"""The drain file: polled by the test itself, and in its thread where the file system hangs."""

import errno
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from asgi_health import Probe, Status
from asgi_health.core.engine import Engine
from asgi_health.core.logger import logger
from asgi_health.runtime.drain.file import PERIOD, DrainFile

from ..support.waiting import wait_until
from .hanging_file_system import hanging

THREAD_NAME = "asgi-health drain file"
LONG = 60.0  # seconds that no test waits


class DrainedApp:
    """A drain file, and the engine of the app that it drains."""

    def __init__(self, folder: Path) -> None:
        self.engine = Engine(lambda: 0.0, lambda: 0.5)
        self.engine.start("lifespan", 0.0)
        self.engine.serve(0.0)
        self.path = folder / "draining"
        self.needed = True
        self._others = drain_file_threads()
        self.file = DrainFile(self.engine, self.path, lambda: self.needed)

    @property
    def ready(self) -> bool:
        return self.engine.probe_status(Probe.READINESS).at(0.0) is Status.HEALTHY

    @property
    def ended(self) -> bool:
        return drain_file_threads() <= self._others

    def ready_after_poll(self) -> bool:
        self.file.poll()
        return self.ready


@pytest.fixture
def app(tmp_path: Path) -> Iterator[DrainedApp]:
    app = DrainedApp(tmp_path)
    yield app
    app.file.stop()
    wait_until(lambda: app.ended, "its thread has ended")


def drain_file_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == THREAD_NAME}


def test_the_app_drains_while_the_file_exists(app: DrainedApp) -> None:
    ready = [app.ready_after_poll()]
    app.path.touch()
    ready.append(app.ready_after_poll())
    app.path.unlink()
    ready.append(app.ready_after_poll())
    assert ready == [True, False, True]
    assert PERIOD <= 0.5  # the documentation promises that the file is noticed within this time


def test_a_file_removed_between_two_lifespans_drains_no_more(app: DrainedApp) -> None:
    app.engine.set_temporary_drain(True, 0.0)
    assert app.ready_after_poll()


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EACCES])
@pytest.mark.parametrize("exists", [True, False])
def test_an_error_of_the_file_system_changes_nothing(
    exists: bool, code: int, app: DrainedApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = os.stat

    def broken(asked: object, **more: object) -> os.stat_result:
        if asked == app.path:
            raise OSError(code, os.strerror(code))
        return stat(asked, **more)  # type: ignore[arg-type]

    if exists:
        app.path.touch()
    before = app.ready_after_poll()
    assert before is not exists
    monkeypatch.setattr(os, "stat", broken)
    assert app.ready_after_poll() is before


def test_a_failing_log_neither_prevents_a_drain_nor_ends_the_thread(
    app: DrainedApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("the disk of the log is full")

    monkeypatch.setattr(logger, "info", broken)
    app.path.touch()
    app.file.start(LONG)
    assert not app.ready
    assert "the disk of the log is full" in caplog.text
    app.path.unlink()
    wait_until(lambda: app.ready, "it is ready again")


def test_start_returns_after_the_first_poll(
    app: DrainedApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    poll = app.file.poll

    def slow_poll() -> None:
        time.sleep(0.1)  # longer than `start` takes where it does not wait
        poll()

    monkeypatch.setattr(app.file, "poll", slow_poll)
    caplog.set_level(logging.INFO)
    app.path.touch()
    app.file.start(LONG)
    assert not app.ready
    assert caplog.messages == [f"draining while {app.path} exists"]


def test_it_ends_when_it_is_not_needed_any_more(app: DrainedApp) -> None:
    app.file.start(LONG)
    app.needed = False
    wait_until(lambda: app.ended, "its thread has ended")


def test_a_file_system_that_hangs_does_not_prevent_the_start(app: DrainedApp, monkeypatch: pytest.MonkeyPatch) -> None:
    with hanging(app.path, monkeypatch) as hung:
        app.file.start(wait=0.01)
        assert hung.wait(10.0)
        assert app.ready


def test_a_poll_that_returns_after_the_end_has_no_effect(app: DrainedApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app.path.touch()
    with hanging(app.path, monkeypatch) as hung:
        app.file.start(wait=0.01)
        assert hung.wait(10.0)
        app.file.stop()
    wait_until(lambda: app.ended, "its thread has ended")
    assert app.ready
