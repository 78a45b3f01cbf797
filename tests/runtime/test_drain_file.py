"""A file that drains: looked at by the test itself, and in its thread where the file system hangs."""

import errno
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from asgi_health import Drain, Health, Probe, Status
from asgi_health.core.logger import logger
from asgi_health.runtime.drain.controller import Drainer
from asgi_health.runtime.drain.file import PERIOD, DrainFile

from ..servers.process import wait_until
from .hanging import hanging

NAME = "asgi-health drain file"
LONG = 60.0  # seconds that no test waits


class Lab:
    """A file, and the app that it drains."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.health = Health(clock=lambda: self.now)
        self.health.begin()
        self.health.serve()
        self.path = folder / "draining"
        self.wanted = True
        self._before = ours()
        self.file = DrainFile(self.health, self.path, lambda: self.wanted)

    @property
    def ready(self) -> bool:
        return self.health.outlook(Probe.READINESS).at(self.now) is Status.HEALTHY

    @property
    def ended(self) -> bool:
        return ours() <= self._before

    def look(self) -> bool:
        self.file.look()
        return self.ready


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.file.stop()
    wait_until(lambda: lab.ended, "its thread has ended")


def ours() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == NAME}


def test_it_drains_while_the_file_is_there(lab: Lab) -> None:
    stands = [lab.look()]
    lab.path.touch()
    stands.append(lab.look())
    lab.path.unlink()
    stands.append(lab.look())
    assert stands == [True, False, True]
    assert PERIOD <= 0.5  # the time within which it is promised to be noticed


def test_a_file_that_went_away_between_two_lives_drains_no_more(lab: Lab) -> None:
    lab.health.hold(True)
    assert lab.look()


def test_a_signal_while_the_file_is_there_drains_for_good_and_counts_from_the_file(lab: Lab) -> None:
    passed_on: list[float] = []
    drainer = Drainer(lab.health, Drain(delay=5.0), lambda: None, lambda: passed_on.append(lab.now))
    lab.path.touch()
    lab.now = 10.0
    lab.look()
    lab.now = 12.0
    assert drainer.hold()
    lab.path.unlink()
    lab.now = 14.9
    assert not lab.look()
    drainer.look(lab.now)
    assert passed_on == []
    lab.now = 15.0
    drainer.look(lab.now)
    assert passed_on == [15.0]


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EACCES])
@pytest.mark.parametrize("there", [True, False])
def test_what_cannot_be_seen_changes_nothing(there: bool, code: int, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = os.stat

    def broken(asked: object, **more: object) -> os.stat_result:
        if asked == lab.path:
            raise OSError(code, os.strerror(code))
        return stat(asked, **more)  # type: ignore[arg-type]

    if there:
        lab.path.touch()
    before = lab.look()
    assert before is not there
    monkeypatch.setattr(os, "stat", broken)
    assert lab.look() is before


def test_a_log_that_fails_keeps_no_file_from_draining_and_ends_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise OSError("the disk of the log is full")

    monkeypatch.setattr(logger, "info", broken)
    lab.path.touch()
    lab.file.start(LONG)
    assert not lab.ready
    assert "the disk of the log is full" in caplog.text
    lab.path.unlink()
    wait_until(lambda: lab.ready, "it is ready again")


def test_it_has_looked_when_it_has_started(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    look = lab.file.look

    def slowly() -> None:
        time.sleep(0.1)
        look()

    monkeypatch.setattr(lab.file, "look", slowly)
    caplog.set_level(logging.INFO)
    lab.path.touch()
    lab.file.start(LONG)
    assert not lab.ready
    assert caplog.messages == [f"draining while {lab.path} exists"]


def test_it_ends_by_itself_when_nobody_wants_it_any_more(lab: Lab) -> None:
    lab.file.start(LONG)
    lab.wanted = False
    wait_until(lambda: lab.ended, "its thread has ended")


def test_a_file_system_that_hangs_keeps_nobody_from_starting(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with hanging(lab.path, monkeypatch) as hung:
        lab.file.start(patience=0.01)
        assert hung.wait(10.0)
        assert lab.ready


def test_what_a_file_system_tells_after_the_end_counts_no_more(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.path.touch()
    with hanging(lab.path, monkeypatch) as hung:
        lab.file.start(patience=0.01)
        assert hung.wait(10.0)
        lab.file.stop()
    wait_until(lambda: lab.ended, "its thread has ended")
    assert lab.ready
