"""`maintain`, `resume` and `status` on the board of an app's workers, which need no worker that answers."""

import json
import os
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asgi_health import Probe, Status
from asgi_health.board.database import open_store
from asgi_health.cli.main import main
from asgi_health.cli.status import table
from asgi_health.core.lease import Lease
from asgi_health.core.lifecycle import Phase
from asgi_health.core.maintenance import Maintenance
from asgi_health.core.stalls import StallTimes
from asgi_health.core.workers import Worker, WorkerProbe

from .command import run

GOOD = WorkerProbe(Status.HEALTHY)


def make_worker(key: str = "a", *, ago: float = 0.0, beat_ago: float | None = 0.0, **more: Any) -> Worker:
    """Return a healthy worker, which wrote something and whose event loop ran some seconds ago."""
    now = time.monotonic()
    good = replace(GOOD, since=now - 130.0)
    worker = Worker(
        key=key,
        pid=os.getpid(),
        started=now - 200.0,
        updated=now - ago,
        beat=None if beat_ago is None else now - beat_ago,
        phase=Phase.SERVING,
        startup_passed=True,
        drain_ordered_at=None,
        stall_times=StallTimes(600.0, 3000.0),
        probes=dict.fromkeys(Probe, good),
    )
    return replace(worker, **more)


def failing(*checks: str) -> dict[Probe, WorkerProbe]:
    since = time.monotonic() - 90.0
    bad = WorkerProbe(Status.UNHEALTHY, "check", checks, since)
    return {probe: GOOD if probe in (Probe.LIVENESS, Probe.STARTUP) else bad for probe in Probe}


class Board:
    """A board whose workers have the process of the test, so that they count as living."""

    def __init__(self, folder: Path) -> None:
        self.path = os.fspath(folder / "health.db")
        self.write()

    def write(self, *workers: Worker, leader: str | None = None, maintenance: Maintenance | None = None) -> None:
        with closing(open_store(self.path)) as store, store.transaction() as transaction:
            for worker in workers:
                transaction.put_worker(worker)
            if leader is not None:
                transaction.put_lease(Lease(leader, 1, time.monotonic() + 60.0))
            if maintenance is not None:
                transaction.put_maintenance(maintenance)

    @property
    def maintenances(self) -> dict[str | None, tuple[str, float]]:
        """The reason and the seconds of each maintenance."""
        with closing(open_store(self.path)) as store, store.transaction() as transaction:
            return {each.check: (each.reason, round(each.until - each.since, 3)) for each in transaction.maintenances()}


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def test_a_maintenance_is_put_on_the_board_and_deleted(board: Board, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["maintain", board.path, "database", "--for", "10m", "--reason", "upgrade"]) == 0
    assert main(["maintain", board.path, "--for", "2h"]) == 0
    assert main(["maintain", board.path, "database", "--for", "1d", "--reason", "longer"]) == 0
    assert board.maintenances == {"database": ("longer", 86400.0), None: ("", 7200.0)}
    assert main(["resume", board.path, "database"]) == 0
    assert main(["resume", board.path]) == 0
    assert board.maintenances == {}
    lines = capfd.readouterr().out.splitlines()
    assert [line.partition(" until ")[0] for line in lines] == [
        "check 'database' is in maintenance",
        "the app is in maintenance",
        "check 'database' is in maintenance",
        "check 'database' is in maintenance no more",
        "the app is in maintenance no more",
    ]


def test_one_that_is_over_is_none(board: Board, capfd: pytest.CaptureFixture[str]) -> None:
    now = time.monotonic()
    board.write(make_worker(), maintenance=Maintenance(None, "", now - 60.0, now - 1.0))
    assert main(["status", board.path, "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["maintenances"] == []
    assert main(["resume", board.path]) == 1
    assert capfd.readouterr().err.endswith(f": board '{board.path}': there is no maintenance of the app\n")


def test_the_status_lists_the_workers_the_leader_and_the_maintenances(
    board: Board, capfd: pytest.CaptureFixture[str]
) -> None:
    now = time.monotonic()
    board.write(
        make_worker("a"),
        make_worker("b", started=now - 100.0, probes=failing("database", "cache")),
        make_worker("c", started=now - 50.0, phase=Phase.DRAINING, probes=failing()),
        leader="b",
        maintenance=Maintenance("cache", "new disks", now, now + 3600.0),
    )
    assert main(["status", board.path]) == 1
    lines = capfd.readouterr().out.splitlines()
    assert lines[:2] == ["not ready: 3 workers", ""]
    pid = str(os.getpid())
    assert [line.split() for line in lines[2:6]] == [
        ["WORKER", "PHASE", "READY", "LIVE", "SINCE", "REASON", "CHECKS", "WROTE", "ROLE"],
        [pid, "serving", "pass", "pass", "2", "min", *lines[3].split()[-3:]],
        [pid, "serving", "fail", "pass", "1", "min", "check", "cache,", "database", *lines[4].split()[-4:-1], "leader"],
        [pid, "draining", "fail", "pass", "1", "min", "check", *lines[5].split()[-3:]],
    ]
    assert lines[6] == ""
    assert (lines[7].split()[0], lines[8].split()[0], lines[8].endswith("  new disks")) == (
        "MAINTENANCE",
        "cache",
        True,
    )


def is_ready(board: Board, *workers: Worker, maintenance: Maintenance | None = None) -> bool:
    board.write(*workers, maintenance=maintenance)
    return main(["status", board.path]) == 0


def test_ready_is_every_worker_that_counts_and_at_least_one(board: Board) -> None:
    assert not is_ready(board)
    starting = make_worker(
        "b", phase=Phase.STARTING, probes=dict.fromkeys(Probe, replace(GOOD, status=Status.UNHEALTHY))
    )
    assert not is_ready(board, starting)
    assert is_ready(board, make_worker("a"), starting)
    degraded = replace(GOOD, status=Status.DEGRADED, reason="check")
    assert is_ready(board, make_worker("c", probes=dict.fromkeys(Probe, degraded)))
    assert not is_ready(board, make_worker("d", probes=failing("db")))


def test_a_worker_whose_loop_is_blocked_or_that_writes_nothing_is_not_ready(board: Board) -> None:
    assert is_ready(board, make_worker("a"))
    assert not is_ready(board, make_worker("a", beat_ago=700.0))
    assert not is_ready(board, make_worker("a", ago=700.0, beat_ago=None))
    assert is_ready(board, make_worker("a", ago=60.0))


def test_the_app_in_maintenance_is_not_ready_before_a_worker_has_seen_it(board: Board) -> None:
    now = time.monotonic()
    assert not is_ready(board, make_worker(), maintenance=Maintenance(None, "", now, now + 60.0))


@pytest.mark.parametrize("command", [["status"], ["maintain", "--for", "1m"], ["resume"]], ids=lambda each: each[0])
def test_what_is_no_board_is_one_line_and_stays_as_it_is(
    command: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    missing, text, database = (tmp_path / name for name in ("missing.db", "notes", "shop.db"))
    text.write_text("x" * 5000)
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE orders (id)")
    connection.close()
    for path, reason in (
        (missing, "there is no such file; a worker of the app makes it when it starts"),
        (text, "found a file that is no database of SQLite"),
        (database, "found the database of another application, expected a board"),
    ):
        assert main([*command, os.fspath(path)]) == 1
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith(f"python -m asgi_health {command[0]}: board '{path}': {reason}")
    assert {each.name for each in tmp_path.iterdir()} == {"notes", "shop.db"}


@pytest.mark.processes
def test_the_command_of_a_process_of_its_own_reads_a_board_that_another_has_open(board: Board) -> None:
    with closing(open_store(board.path)) as store:
        assert run("maintain", board.path, "--for", "1m").code == 0
        with store.transaction() as transaction:
            assert [each.check for each in transaction.maintenances()] == [None]
    found = run("status", board.path)
    assert (found.code, found.err) == (1, "")
    assert found.out.startswith("not ready: 0 workers\n\nMAINTENANCE  UNTIL")


STATUS = table.Status(True, ["ready"], [table.Table(("A", "B"), [("[red]x", "fail (x)"), ("\x1b[2J", "")])], {})


def test_a_terminal_gets_colours_and_no_markup_or_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = table.as_text(STATUS, terminal=80)
    assert "\x1b[31mfail (x)" in shown
    assert "[red]x" in shown
    assert "\x1b[2J" not in shown


@pytest.mark.parametrize("terminal", [None, 80])
def test_without_rich_or_a_terminal_the_table_is_plain(terminal: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if terminal is not None:
        monkeypatch.setitem(sys.modules, "rich.console", None)
    assert table.as_text(STATUS, terminal=terminal) == "ready\n\nA       B\n[red]x  fail (x)\n�[2J\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (-1.0, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (60.0, "1 min"), (7199.0, "1 h"), (200000.0, "2 d")],
)
def test_an_age_has_one_unit(seconds: float | None, text: str) -> None:
    assert table.age(seconds) == text
