"""Board in running apps: two apps in one process stand for two workers, each with a loop of its own."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import anyio
import pytest

from asgi_health import Board, Check, Health, HealthMiddleware, Listener, Probe, Status, healthy, unhealthy
from asgi_health.board import connection, database
from asgi_health.board.database import open_store
from asgi_health.board.turn import TURN_INTERVAL, Turns
from asgi_health.core.lifecycle import Phase
from asgi_health.health import engine_of

from ..support.app_thread import Blocked, our_threads, running_app
from ..support.asgi_caller import ask, echo_nothing
from ..support.lifespan_apps import lifespan_app
from ..support.lifespan_driver import serving
from ..support.waiting import wait_until, wait_until_async


class Worker:
    """An app with a board and one check, which fails while `sick` is true."""

    def __init__(self, path: Path, **options: object) -> None:
        self.sick = False
        self.checks = 0
        own = Check("own", self.check, interval=0.05, retry_interval=0.05, failure_threshold=1, max_age=30.0)
        self.app = HealthMiddleware(lifespan_app, [own], board=Board(path), **options)  # type: ignore[arg-type]
        self.health = self.app.health

    async def check(self) -> object:
        self.checks += 1
        return unhealthy("down") if self.sick else healthy()

    def status(self, probe: Probe = Probe.READINESS) -> Status:
        return self.health.report(probe).status

    def becomes(self, status: Status, probe: Probe = Probe.READINESS) -> None:
        wait_until(lambda: self.status(probe) is status, f"{probe} is {status.name}")

    def sees(self, number: int) -> None:
        """Wait until it sees that number of workers."""
        wait_until(lambda: len(workers_seen(self.health)) == number, f"{number} workers are seen")


def workers_seen(health: Health) -> list[int]:
    """Return the numbers of the processes of the workers that `health` sees."""
    host = engine_of(health).host
    return [] if host is None else [each.pid for each in host.workers]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "health.db"


@contextmanager
def two_workers(path: Path, **options: object) -> Iterator[tuple[Worker, Worker]]:
    first, second = Worker(path, **options), Worker(path, **options)
    with running_app(first.app), running_app(second.app):
        for worker in (first, second):
            worker.sees(2)
            worker.becomes(Status.HEALTHY)
        yield first, second


def test_prepared_answers_change_with_the_board_and_the_details_name_the_worker(path: Path) -> None:
    with two_workers(path) as (first, second):
        second.sick = True
        first.becomes(Status.UNHEALTHY)
        answer = anyio.run(ask, first.app, "/health/ready")
        assert (answer.status, answer.body) == (503, b'{"status":"fail"}')
        report = first.health.report(Probe.READINESS)
        assert (report.reason, report.culprits) == ("worker", ())
        assert report.host is not None
        assert len(report.host.workers) == 2
        second.sick = False
        first.becomes(Status.HEALTHY)


def test_a_drain_by_order_and_a_maintenance_of_one_are_those_of_the_other(path: Path) -> None:
    with two_workers(path) as (first, second):
        end = first.health.maintain(None, 60.0, "upgrade")
        second.becomes(Status.UNHEALTHY)
        found = engine_of(second.health).maintenance_of(None)
        assert found is not None
        assert found.reason == "upgrade"
        end()
        second.becomes(Status.HEALTHY)
        second.health.drain()
        wait_until(lambda: engine_of(first.health).phase is Phase.DRAINING, "the first one drains")


def test_a_blocked_loop_is_seen_by_the_other_worker(path: Path) -> None:
    blocked = Worker(path, listener=Listener("127.0.0.1:0", stall_ready=0.5, stall_live=1.0))
    other = Worker(path)
    with running_app(blocked.app) as portal, running_app(other.app):
        other.sees(2)
        blocked.becomes(Status.HEALTHY)
        other.becomes(Status.HEALTHY)
        with Blocked(portal):
            other.becomes(Status.UNHEALTHY)
            other.becomes(Status.UNHEALTHY, Probe.LIVENESS)
        other.becomes(Status.HEALTHY)
        other.becomes(Status.HEALTHY, Probe.LIVENESS)


def test_the_slot_goes_with_the_lifespan_and_the_next_one_takes_another(path: Path) -> None:
    stays, goes = Worker(path), Worker(path)
    with running_app(stays.app):
        for _ in range(2):
            with running_app(goes.app):
                stays.sees(2)
            stays.sees(1)
            assert engine_of(goes.health).host is None
    wait_until(lambda: not our_threads(), "all threads have ended")
    store = open_store(str(path))
    with store.transaction() as transaction:
        assert not transaction.living_workers()
    store.close()


def test_a_board_that_cannot_be_used_is_logged_once_and_used_when_it_can_be(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.mkdir(parents=True)
    worker = Worker(path)
    with caplog.at_level(logging.INFO, "asgi_health"), running_app(worker.app):
        wait_until(lambda: "cannot be used" in caplog.text or "answers for itself" in caplog.text, "it is logged")
        worker.becomes(Status.HEALTHY)
        seen = worker.checks
        wait_until(lambda: worker.checks > seen + 20, "the checks go on")
        path.rmdir()
        worker.sees(1)
        wait_until(lambda: "can be used again" in caplog.text, "that is logged too")
    assert caplog.text.count("answers for itself until") == 1


def test_a_file_that_is_deleted_is_made_again_by_the_workers(path: Path) -> None:
    with two_workers(path) as (first, second):
        for each in path.parent.iterdir():
            each.unlink()
        second.sick = True
        first.becomes(Status.UNHEALTHY)
        assert path.exists()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock the file in another process: to close it in this one would release its locks."""
    code = (
        "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('BEGIN IMMEDIATE')\nprint(flush=True)\nsys.stdin.read()"
    )
    command = [sys.executable, "-S", "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.stdin.close()


def test_a_locked_board_is_not_opened_again_and_a_slot_that_cannot_be_deleted_is_deleted_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LOCK_TIMEOUT", 0.05)
    opened: list[str] = []

    def counted(path: str) -> object:
        opened.append(path)
        return open_store(path)

    monkeypatch.setattr(database, "open_store", counted)
    stays, goes = Worker(path), Worker(path)
    with ExitStack() as stack, running_app(stays.app):
        with running_app(goes.app):
            stays.sees(2)
            held = stack.enter_context(ExitStack())
            held.enter_context(locked(path))
        wait_until(lambda: engine_of(goes.health).host is None, "it has begun to leave")
        held.close()
        stays.sees(1)
    assert len(opened) == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_a_fault_in_the_turns_of_one_worker_takes_its_slot_away(path: Path, error: type[BaseException]) -> None:
    def own_worker(*_: object, **__: object) -> None:
        raise error

    with two_workers(path) as (first, second):
        engine_of(second.health).own_worker = own_worker  # type: ignore[method-assign, assignment]
        first.sees(1)
        first.becomes(Status.HEALTHY)


def test_the_first_probe_after_the_start_waits_for_the_first_turn(path: Path) -> None:
    async def main() -> int:
        worker = Worker(path)
        async with serving(worker.app):
            return (await ask(worker.app, "/health/ready")).status

    assert [anyio.run(main) for _ in range(5)] == [200] * 5


def test_running_takes_a_board_too(path: Path) -> None:
    worker = Worker(path)

    async def main() -> None:
        health = Health()
        async with health.running(board=Board(path)):
            await wait_until_async(lambda: len(workers_seen(health)) == 2, "both are seen")

    with running_app(worker.app):
        anyio.run(main)


def test_without_lifespan_the_board_begins_with_the_first_request(path: Path) -> None:
    worker = Worker(path)

    async def main() -> None:
        await ask(worker.app, "/elsewhere")
        await wait_until_async(lambda: len(workers_seen(worker.health)) == 1, "it is on the board")

    anyio.run(main)


def test_an_app_without_a_board_imports_no_sqlite_and_one_with_it_opens_nothing_before_it_starts(path: Path) -> None:
    code = (
        "import sys\nfrom asgi_health import Board, HealthMiddleware\n"
        "async def app(scope, receive, send): ...\n"
        f"HealthMiddleware(app, board=Board({str(path)!r}))\n"
        "assert 'sqlite3' not in sys.modules"
    )
    # Coverage, which starts in each process where it is measured, imports sqlite3.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"path": ""}, "board: path '' is not the path of a file"),
        ({"path": ":memory:"}, "board: path ':memory:' is not"),
        ({"path": "file:x?mode=memory"}, "board: path 'file:x"),
        ({"path": b"/run/x"}, "board: path must be a string or a path"),
        ({"path": "x", "quorum": 0}, "board: quorum"),
        ({"path": "x", "quorum": 1.5}, "board: quorum 1.5 must be a share above 0"),
        ({"path": "x", "quorum": float("nan")}, "board: quorum nan"),
        ({"path": "x", "quorum": True}, "board: quorum must be a number of workers"),
        ({"path": "x", "quorum": "half"}, "board: quorum must be a number of workers"),
        ({"path": "x", "workers": 0}, "board: workers"),
    ],
    ids=str,
)
def test_arguments_that_could_not_work_are_refused(wrong: dict[str, object], error: str) -> None:
    with pytest.raises((TypeError, ValueError), match=error):
        Board(**wrong)  # type: ignore[arg-type]


def test_what_is_no_board_and_a_health_with_a_clock_of_its_own_are_refused(path: Path) -> None:
    with pytest.raises(TypeError, match="board"):
        HealthMiddleware(echo_nothing, board=str(path))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"board: expected a Health with the clock time\.monotonic"):
        HealthMiddleware(echo_nothing, Health(clock=lambda: 0.0), board=Board(path))


def test_a_scope_of_a_check_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="check 'a': scope must be 'process' or 'host', not 'fleet'"):
        Check("a", lambda: None, scope="fleet")  # type: ignore[arg-type]


def test_results_that_change_no_status_cause_no_turn(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[float] = []
    take = Turns.take

    def counted(*args: Any) -> None:
        turns.append(monotonic())
        take(*args)

    monkeypatch.setattr(Turns, "take", counted)
    worker = Worker(path)
    with running_app(worker.app):
        worker.becomes(Status.HEALTHY)
        wait_until(lambda: worker.status(Probe.STARTUP) is Status.HEALTHY, "it has started")
        before, began, checks = len(turns), monotonic(), worker.checks
        wait_until(lambda: worker.checks >= checks + 15, "it has run fifteen times")
        assert len(turns) - before <= (monotonic() - began) / (0.9 * TURN_INTERVAL) + 1
