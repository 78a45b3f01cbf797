"""Files for exec probes: fresh while the probes pass, gone when they fail, old when the process has died."""

import gc
import logging
import os
import threading
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from asgi_health import Check, Health, HealthMiddleware, Probe
from asgi_health.cli.main import main
from asgi_health.core.stalls import StallTimes
from asgi_health.integrations.files import Files
from asgi_health.runtime import loop_services

from ..apps import plain_app
from ..support.app_thread import LOOPS, Blocked, loop_of, our_threads, running_app, starting_app
from ..support.asgi_caller import ask
from ..support.lifespan_apps import ReceiveEvent, SendEvent, lifespan_app, make_app
from ..support.services import stop_services
from ..support.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run" / "app"


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()} if folder.exists() else set()


def shows(folder: Path, *expected: str) -> None:
    wait_until(lambda: names(folder) == set(expected), lambda: f"{expected}, and not {names(folder)}")


def probe(folder: Path, name: str, *options: str) -> int:
    return main(["probe", f"file:{folder / name}", *options])


def app_with(folder: Path, check: Callable[[], bool] = lambda: True) -> HealthMiddleware:
    checks = [Check("a", check, interval=0.05, failure_threshold=1)]
    return HealthMiddleware(lifespan_app, checks, integrations=[Files(folder, interval=0.05)])


def test_the_files_follow_the_probes_and_end_with_the_app(folder: Path) -> None:
    up = threading.Event()
    up.set()
    with running_app(app_with(folder, up.is_set)):
        shows(folder, "live", "ready", "started")
        assert [probe(folder, name) for name in ("live", "ready", "started")] == [0, 0, 0]
        up.clear()
        shows(folder, "live", "started")
        assert [probe(folder, name) for name in ("live", "ready")] == [0, 1]
        up.set()
        shows(folder, "live", "ready", "started")
    shows(folder)


def test_a_file_is_touched_again_and_again(folder: Path) -> None:
    with running_app(app_with(folder)):
        shows(folder, "live", "ready", "started")
        os.utime(folder / "ready", (1.0, 1.0))
        wait_until(lambda: probe(folder, "ready") == 0, "it is fresh again")


def test_an_app_that_starts_is_alive_and_no_more(folder: Path) -> None:
    released = threading.Event()

    async def starts_slowly(receive: ReceiveEvent, send: SendEvent) -> None:
        import anyio.to_thread

        await receive()
        await anyio.to_thread.run_sync(released.wait, 30.0)
        await send("startup.complete")

    app = HealthMiddleware(make_app(starts_slowly), integrations=[Files(folder)])
    with loop_of() as portal, starting_app(app, portal):
        shows(folder, "live")
        released.set()


def test_the_files_of_a_former_process_are_removed(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "ready").touch()
    with running_app(app_with(folder, lambda: False)):
        shows(folder, "live", "started")


def test_a_drain_removes_ready_at_once(folder: Path) -> None:
    app = app_with(folder)
    with running_app(app):
        shows(folder, "live", "ready", "started")
        app.health.drain()
        shows(folder, "live", "started")


def test_a_blocked_loop_is_neither_ready_nor_in_the_end_alive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_services, "StallTimes", partial(StallTimes, 0.2, 0.6))  # in place of 5 and 30 s
    with running_app(app_with(folder)) as portal:
        shows(folder, "live", "ready", "started")
        with Blocked(portal):
            shows(folder, "started")
        shows(folder, "live", "ready", "started")


@pytest.mark.parametrize("loop", LOOPS)
def test_the_files_go_when_the_loop_has_ended_without_a_shutdown_of_the_app(folder: Path, loop: str) -> None:
    app = HealthMiddleware(plain_app, integrations=[Files(folder, interval=0.05)])  # without a check to grow stale

    async def serve() -> None:
        assert (await ask(app, "/ordinary")).status == 200

    with loop_of(loop) as portal:
        portal.call(serve)
        shows(folder, "live", "ready", "started")
    shows(folder)
    stop_services(app)


def test_an_app_that_is_collected_ends_its_files(folder: Path) -> None:
    health = Health()
    files = Files(folder, interval=0.05)
    files.start(health)
    reference = weakref.ref(health)
    del health
    wait_until(lambda: gc.collect() >= 0 and reference() is None, "the Health is collected")
    wait_until(lambda: not any("files" in each.name for each in our_threads()), "the thread ends")
    shows(folder)


def test_a_writer_that_hangs_at_the_end_does_not_remove_the_files_of_the_next_lifespan(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    hangs = threading.Event()
    unlink = os.unlink

    def hang(path: str) -> None:
        hangs.set()
        released.wait(20.0)
        unlink(path)

    app = HealthMiddleware(lifespan_app, integrations=[Files(folder, interval=60.0)])  # so none is written twice
    with running_app(app):
        shows(folder, "live", "ready", "started")
        monkeypatch.setattr(os, "unlink", hang)
    assert hangs.wait(20.0)
    monkeypatch.undo()
    with running_app(app):
        wait_until(lambda: app.health.report(Probe.READINESS).status.name == "HEALTHY", "the app is ready")
        shows(folder, "live", "ready", "started")
        released.set()
        wait_until(lambda: len([each for each in our_threads() if "files" in each.name]) == 1, "the former one ends")
        shows(folder, "live", "ready", "started")


def test_a_file_that_cannot_be_written_does_not_keep_another_whose_probe_fails(folder: Path) -> None:
    up = threading.Event()
    up.set()
    with running_app(app_with(folder, up.is_set)):
        shows(folder, "live", "ready", "started")
        (folder / "live").unlink()
        os.mkfifo(folder / "live")
        up.clear()
        shows(folder, "live", "started")


def link_to_victim(path: Path) -> None:
    path.symlink_to(path.parent.parent / "victim")


@pytest.mark.parametrize("put", [link_to_victim, os.mkfifo], ids=["link", "fifo"])
def test_a_link_or_a_fifo_in_place_of_a_file_is_not_followed(
    folder: Path, caplog: pytest.LogCaptureFixture, put: Callable[[Path], None]
) -> None:
    folder.mkdir(parents=True)
    victim = folder.parent / "victim"
    victim.touch()
    os.utime(victim, (1.0, 1.0))
    put(folder / "live")
    with running_app(app_with(folder)):
        wait_until(lambda: "are not written" in caplog.text, "it is logged")
    assert victim.stat().st_mtime == 1.0


def test_a_directory_that_cannot_be_written_harms_nothing_and_is_logged_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.parent.mkdir()
    folder.write_text("a file in place of the directory")
    app = app_with(folder)
    with caplog.at_level(logging.INFO, "asgi_health"), running_app(app):
        wait_until(lambda: "are not written" in caplog.text, "it is logged")
        wait_until(lambda: app.health.report(Probe.READINESS).status.name == "HEALTHY", "the app is ready")
        folder.unlink()
        shows(folder, "live", "ready", "started")
        wait_until(lambda: "are written again" in caplog.text, "that is logged too")
    assert caplog.text.count("are not written") == 1


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"directory": ""}, "files: directory '' is not"),
        ({"directory": b"/run"}, "files: directory must be a string or a path"),
        ({"directory": "a", "interval": 0}, "files: interval must be a positive"),
        ({"directory": "a", "interval": 5000.0}, "files: interval must be at most"),
    ],
    ids=["empty", "bytes", "zero", "milliseconds"],
)
def test_arguments_that_could_not_work_are_refused(wrong: dict[str, object], error: str) -> None:
    with pytest.raises((TypeError, ValueError), match=error):
        Files(**wrong)  # type: ignore[arg-type]


# -- the command


def test_a_missing_file_is_not_healthy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert probe(folder, "ready") == 1
    assert "there is no such file: the probe fails, or the app does not run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("age", "options", "reason"),
    [
        (1.0, (), ""),
        (20.0, (), "ago; expected at most 15 s"),
        (20.0, ("--max-age", "30"), ""),
        (3.0, ("--max-age=2",), "ago; expected at most 2 s"),
        (-3600.0, (), "in the future: the clock has changed"),
    ],
    ids=["fresh", "old", "young enough", "too old", "future"],
)
def test_the_age_of_the_file_decides(
    tmp_path: Path, age: float, options: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import time

    file = tmp_path / "ready"
    file.touch()
    touched = time.time() - age
    os.utime(file, (touched, touched))
    assert probe(tmp_path, "ready", *options) == bool(reason)
    assert reason in capsys.readouterr().err


def test_waiting_for_a_file_ends_when_it_comes(folder: Path) -> None:
    with running_app(app_with(folder)):
        assert main(["wait", f"file:{folder / 'ready'}", "--timeout", "20"]) == 0
