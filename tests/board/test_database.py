"""The store on SQLite: what is written is read, and each real failure of the file is a BoardUnavailable that ends."""

import os
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

import pytest

from asgi_health.board import connection
from asgi_health.board.database import open_store
from asgi_health.board.interface import BoardUnavailable, Store
from asgi_health.core.lease import Lease
from asgi_health.core.maintenance import Maintenance

from ..support.waiting import wait_until
from .published import published

ROOT = os.geteuid() == 0
OTHER_USER = 65534


class Board:
    """A path, and the stores that a test opens there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stores: list[Store] = []

    def open(self) -> Store:
        store = open_store(str(self.path))
        self.stores.append(store)
        return store

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements in another process: to close the file in this one would release its locks."""
        program = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "for s in sys.argv[2:]: rows = c.execute(s).fetchall()\n"
            "print(rows)"
        )
        command = [sys.executable, "-S", "-c", program, str(self.path), *statements]
        return eval(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)  # type: ignore[no-any-return]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board(tmp_path / "board" / "health.db")
    yield board
    for store in board.stores:
        store.close()


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LOCK_TIMEOUT", 0.05)


def keys(store: Store) -> set[str]:
    with store.transaction() as rows:
        return {worker.key for worker in rows.living_workers()}


def put(store: Store, *names: str) -> None:
    with store.transaction() as rows:
        for name in names:
            rows.put_worker(published(name))


class Worker:
    """A worker that opens the board again after each failure, as the thread of a worker does."""

    def __init__(self, board: Board, key: str) -> None:
        self._board = board
        self._key = key
        self._store: Store | None = None
        self.failures: list[str] = []

    def turn(self) -> set[str]:
        try:
            if self._store is None:
                self._store = self._board.open()
            put(self._store, self._key)
            return keys(self._store)
        except BoardUnavailable as error:
            self.failures.append(str(error))
            if self._store is not None:
                self._store.close()
                self._store = None
            return set()


# ------------------------------------------------------------------------------------------------- what is written


def test_what_one_worker_writes_all_read(board: Board) -> None:
    first, second = board.open(), board.open()
    assert first.identity == second.identity
    worker, lease = published("a"), Lease("a", 3, 12.5)
    of_app, of_check = Maintenance(None, "move", 1.0, 2.0), Maintenance("app", "index \ud800", 1.0, 9.0)
    with first.transaction() as rows:
        assert rows.lease() is None
        rows.put_worker(worker)
        rows.put_lease(lease)
        rows.put_maintenance(of_app)
        rows.put_maintenance(of_check)
    with second.transaction() as rows:
        assert rows.living_workers() == [worker]
        assert rows.lease() == lease
        assert sorted(rows.maintenances(), key=lambda each: each.until) == [of_app, of_check]
        rows.put_worker(replace(worker, updated=worker.updated + 1.0))
        rows.put_maintenance(replace(of_app, until=3.0))
        rows.delete_maintenance("app")
    with first.transaction() as rows:
        assert [each.updated for each in rows.living_workers()] == [worker.updated + 1.0]
        assert rows.maintenances() == [replace(of_app, until=3.0)]
        rows.delete_maintenance(None)
        rows.delete_worker("a")
        assert rows.living_workers() == []
        assert rows.maintenances() == []


def test_only_one_of_those_who_have_read_the_same_lease_gets_it(board: Board) -> None:
    stores = board.open(), board.open()
    with stores[0].transaction() as first, stores[1].transaction() as second:
        assert first.lease() is None
        assert second.lease() is None
        own, other = Lease("a", 1, 10.0), Lease("b", 1, 10.5)
        assert first.put_lease(own) == own
        assert second.put_lease(other) == own
        renewed = Lease("a", 1, 11.0)
        assert first.put_lease(renewed) == renewed
        assert second.put_lease(Lease("b", 2, 20.0)) == renewed
        taken = Lease("b", 2, 20.0)
        assert second.lease() == renewed
        assert second.put_lease(taken) == taken
        assert first.put_lease(Lease("a", 1, 12.0)) == taken


def test_a_maintenance_that_another_worker_has_just_begun_is_not_deleted(board: Board) -> None:
    stores = board.open(), board.open()
    over, new = Maintenance("db", "", 1.0, 2.0), Maintenance("db", "", 3.0, 4.0)
    with stores[0].transaction() as first, stores[1].transaction() as second:
        first.put_maintenance(over)
        assert first.maintenances() == [over]
        second.put_maintenance(new)
        first.delete_maintenance("db")
        assert first.maintenances() == [new]
        first.delete_maintenance("db")
        assert second.maintenances() == []


def test_a_worker_that_is_stopped_in_the_middle_of_a_turn_stops_no_other(board: Board) -> None:
    stopped, other = board.open(), board.open()
    with stopped.transaction() as rows:
        rows.put_worker(published("stopped"))
        rows.living_workers()
        put(other, "other")
        assert keys(other) == {"stopped", "other"}
        rows.delete_worker("stopped")


def test_the_file_is_for_its_user_alone_and_all_stays_for_the_next_worker(board: Board) -> None:
    store = board.open()
    put(store, "a")
    modes = {path.name: path.stat().st_mode & 0o777 for path in board.path.parent.iterdir()}
    assert modes == dict.fromkeys(("health.db", "health.db-wal", "health.db-shm"), 0o600)
    assert board.path.parent.stat().st_mode & 0o777 == 0o700
    store.close()
    again = board.open()
    assert again.identity == store.identity
    assert keys(again) == {"a"}


def test_many_workers_keep_the_files_small(board: Board) -> None:
    store = board.open()
    names = [f"worker {number}" for number in range(500)]
    for _ in range(4):
        put(store, *names)
    assert keys(store) == set(names)
    assert sum(path.stat().st_size for path in board.path.parent.iterdir()) < 3_000_000


# ----------------------------------------------------------------------------------------------- slots of the dead


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_slot_of_a_process_that_is_gone_is_deleted_and_that_of_a_stopped_one_kept(board: Board) -> None:
    store = board.open()
    put(store, "dead", "stopped", "left", "ahead", "reused", "far", "far and old", "damaged")
    with store.transaction() as rows:
        rows.put_worker(published("far and old", updated=time.monotonic() - 10.0))
        rows.put_worker(published("far", updated=time.monotonic() + 60.0))
        rows.put_worker(published("stopped", updated=1.0))
        rows.put_worker(published("left", updated=time.monotonic() - 10.0))
        rows.put_worker(published("ahead", updated=time.monotonic() + 1000.0))
    parent = os.getppid()
    parent_start = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[19]
    board.sql(
        f"UPDATE worker_1 SET pid = {parent}, started = {parent_start} WHERE CAST(key AS TEXT) = 'stopped'",
        "UPDATE worker_1 SET namespace = 'pid:[1]' WHERE CAST(key AS TEXT) LIKE 'far%'",
    )
    # "left" belongs to an earlier lifespan of this process, and "ahead" to an earlier boot.
    assert keys(store) == {"dead", "stopped", "reused", "far", "damaged"}
    with subprocess.Popen(["true"]) as ended:
        wait_until(lambda: Path(f"/proc/{ended.pid}/stat").read_text().split()[2] == "Z", "it has ended")
        own_start = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
        board.sql(
            f"UPDATE worker_1 SET pid = {ended.pid} WHERE CAST(key AS TEXT) = 'dead'",
            f"UPDATE worker_1 SET started = {own_start} - 1 WHERE CAST(key AS TEXT) = 'reused'",
            "UPDATE worker_1 SET row = substr(row, 1, 30) WHERE CAST(key AS TEXT) = 'damaged'",
        )
        # Slots that have changed were written a moment ago: their processes are looked for at the next turn.
        assert keys(store) == {"dead", "stopped", "reused", "far"}
        assert keys(store) == {"stopped", "far"}
        assert board.sql("SELECT count(*) FROM worker_1") == [(2,)]
        assert keys(board.open()) == {"stopped", "far"}


@pytest.mark.parametrize(
    "values", ["NULL, NULL, NULL, NULL", "'x', 'y', 'z', 7", "-1, 1.5, x'ff', x'00'", f"{2**62}, 1, NULL, x''"]
)
def test_a_slot_of_other_types_is_deleted(board: Board, values: str) -> None:
    store = board.open()
    put(store, "a")
    board.sql(
        f"INSERT INTO worker_1 VALUES (x'ff', {values})",
        "INSERT INTO lease_1 VALUES (1, 'a', 'b', 'c')",
        "INSERT INTO maintenance_1 VALUES (x'ff', 7), (x'fe', x'fe'), (x'fd', NULL)",
    )
    assert keys(store) == {"a"}
    with store.transaction() as rows:
        assert rows.lease() is None
        assert rows.maintenances() == []
    assert board.sql("SELECT (SELECT count(*) FROM worker_1) + (SELECT count(*) FROM maintenance_1)") == [(1,)]


def test_a_maintenance_that_begins_in_the_future_is_from_an_earlier_boot(board: Board) -> None:
    store = board.open()
    now = time.monotonic()
    with store.transaction() as rows:
        rows.put_maintenance(Maintenance("a", "", now, now + 600.0))
        rows.put_maintenance(Maintenance("b", "", now + 1e6, now + 1e6 + 600.0))
    with store.transaction() as rows:
        assert [each.check for each in rows.maintenances()] == ["a"]


def test_what_another_boot_has_written_is_deleted(board: Board) -> None:
    store = board.open()
    put(store, "a")
    with store.transaction() as rows:
        rows.put_lease(Lease("a", 1, 1e9))
        rows.put_maintenance(Maintenance(None, "", 0.0, 1e9))
    store.close()
    board.sql("UPDATE meta_1 SET boot = CAST('another' AS BLOB)")
    again = board.open()
    assert again.identity != store.identity
    with again.transaction() as rows:
        assert (rows.living_workers(), rows.lease(), rows.maintenances()) == ([], None, [])
    assert board.open().identity == again.identity


# ------------------------------------------------------------------------------------- damage, and how it ends


def overwrite(path: Path, at: int, content: bytes) -> object:
    # In another process: to close the file in this one would release the locks of its stores.
    program = "import sys; f = open(sys.argv[1], 'r+b'); f.seek(int(sys.argv[2])); f.write(sys.stdin.buffer.read())"
    return subprocess.run([sys.executable, "-S", "-c", program, path, str(at)], input=content, check=True, timeout=30)


def with_suffix(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def delete(path: Path) -> None:
    path.unlink(missing_ok=True)


def delete_all(path: Path) -> None:
    for each in path.parent.iterdir():
        each.unlink()
    path.parent.rmdir()


def replace_with_new(path: Path) -> None:
    delete(path)
    path.touch()


def replace_with_text(path: Path) -> None:
    delete(path)
    path.write_text("listen: 8000\n" * 1000)


NOISE = bytes(range(7, 256)) * 200

DAMAGES: dict[str, Callable[[Path], object]] = {
    "file gone": delete,
    "directory gone": delete_all,
    "replaced by an empty file": replace_with_new,
    "replaced by a text": replace_with_text,
    "wal gone": lambda path: delete(with_suffix(path, "-wal")),
    "shm gone": lambda path: delete(with_suffix(path, "-shm")),
    "truncated to zero": lambda path: os.truncate(path, 0),
    "truncated in the middle": lambda path: os.truncate(path, 6000),
    "wal truncated": lambda path: os.truncate(with_suffix(path, "-wal"), 5000),
    "noise in the header": lambda path: overwrite(path, 0, NOISE[:200]),
    "a later format in the header": lambda path: overwrite(path, 18, b"\x03\x03"),
    "another schema": lambda path: overwrite(path, path.read_bytes().index(b"namespace"), b"namespice"),
    "noise in the tables": lambda path: overwrite(path, 4096, NOISE),
    "noise everywhere": lambda path: [overwrite(with_suffix(path, suffix), 0, NOISE) for suffix in ("", "-wal")],
    "noise in the wal": lambda path: overwrite(with_suffix(path, "-wal"), 64, NOISE),
    "noise in the index of the wal": lambda path: overwrite(with_suffix(path, "-shm"), 0, NOISE[:32768]),
}


@pytest.mark.parametrize(
    ("damage", "reopened"),
    [(damage, False) for damage in DAMAGES]
    + [
        (damage, True)
        for damage in DAMAGES
        if damage.startswith(("a", "noise in the header", "noise in the t", "trunc"))
    ],
)
def test_workers_see_each_other_again_after_a_damage(board: Board, damage: str, reopened: bool) -> None:
    workers = [Worker(board, "a"), Worker(board, "b")]
    put(board.open(), *(f"slot {number}" for number in range(200)))  # several pages
    board.stores[0].close()
    for worker in workers * 2:
        worker.turn()
    if reopened:
        for store in board.stores:
            store.close()
    DAMAGES[damage](board.path)
    if reopened:
        workers = [Worker(board, "a"), Worker(board, "b")]
    rounds = ([{"a", "b"} <= worker.turn() for worker in workers] for _ in range(8))
    assert any(all(seen) and all({"a", "b"} <= worker.turn() for worker in workers) for seen in rounds), [
        worker.failures for worker in workers
    ]
    assert all(len(worker.failures) <= 3 for worker in workers), [worker.failures for worker in workers]
    assert all(str(board.path) in failure for worker in workers for failure in worker.failures)


def test_a_damaged_file_is_kept_under_another_name(board: Board) -> None:
    board.path.parent.mkdir()
    replace_with_text(board.path)
    put(board.open(), "a")
    assert with_suffix(board.path, "-damaged").read_text().startswith("listen: 8000\n")


def test_to_close_what_was_replaced_leaves_the_new_files_alone(board: Board) -> None:
    old = board.open()
    put(old, "a")
    delete_all(board.path)
    new = board.open()
    put(new, "b")
    old.close()
    assert keys(new) == {"b"}
    assert keys(board.open()) == {"b"}


# --------------------------------------------------------------------------------- what cannot be used at the moment


@contextmanager
def small_files() -> Iterator[None]:
    """Let no file grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_cannot_be_used_until_there_is_space(board: Board) -> None:
    store = board.open()
    put(store, "a")
    with small_files():
        with pytest.raises(BoardUnavailable, match=f"board '{board.path}': "):
            put(store, "b")
        with suppress(BoardUnavailable):
            open_store(str(board.path)).close()
    assert keys(store) == {"a"}
    put(store, "b")
    assert keys(board.open()) == {"a", "b"}


def test_a_locked_board_cannot_be_used_until_the_lock_is_released(board: Board) -> None:
    store = board.open()
    put(store, "a")
    other = sqlite3.connect(board.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(BoardUnavailable, match="found it locked for"):
        put(store, "b")
    with pytest.raises(BoardUnavailable, match="found it locked for"):
        board.open()
    other.close()
    put(store, "b")
    assert keys(store) == {"a", "b"}


@contextmanager
def without_rights() -> Iterator[None]:
    """Become another user where root runs the tests: the modes of files do not stop root."""
    if ROOT:
        os.seteuid(OTHER_USER)
    try:
        yield
    finally:
        if ROOT:
            os.seteuid(0)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory of the user of `without_rights`; one of pytest could not be reached."""
    with TemporaryDirectory() as name:
        if ROOT:
            os.chown(name, OTHER_USER, -1)
        yield Path(name)
        os.chmod(name, 0o700)


def test_a_directory_or_a_file_that_may_not_be_written_to_cannot_be_used_until_it_may(directory: Path) -> None:
    path = directory / "health.db"
    with without_rights():
        directory.chmod(0o500)
        with pytest.raises(BoardUnavailable, match="Permission denied"):
            open_store(str(path))
        directory.chmod(0o700)
        store = open_store(str(path))
        put(store, "a")
        store.close()
        for mode in (0o400, 0o000):
            path.chmod(mode)
            with pytest.raises(BoardUnavailable, match=f"board '{path}': "):
                put(open_store(str(path)), "b")
        path.chmod(0o600)
        store = open_store(str(path))
        assert keys(store) == {"a"}
        store.close()


# ------------------------------------------------------------------------------------------------- what is refused


def symbolic_link(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))


def writable_for_all(path: Path) -> None:
    path.parent.chmod(0o777)


def another_application(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE users (name)")
    other.close()


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (symbolic_link, "found a symbolic link, expected a regular file"),
        (Path.mkdir, "found a directory, expected a regular file"),
        (os.mkfifo, "found a special file, expected a regular file"),
        (writable_for_all, "expected a directory of this user"),
        (another_application, "found the database of another application, expected a board"),
    ],
)
def test_a_path_that_is_not_safe_is_refused_and_left_alone(
    board: Board, prepare: Callable[[Path], object], expected: str
) -> None:
    board.path.parent.mkdir()
    prepare(board.path)
    before = {path.name: (path.lstat().st_ino, path.lstat().st_size) for path in board.path.parent.iterdir()}
    with pytest.raises(BoardUnavailable, match=expected):
        board.open()
    assert before == {path.name: (path.lstat().st_ino, path.lstat().st_size) for path in board.path.parent.iterdir()}


def test_a_directory_with_the_sticky_bit_is_used(board: Board) -> None:
    board.path.parent.mkdir()
    board.path.parent.chmod(0o1777)
    put(board.open(), "a")


def test_a_file_of_another_user_is_refused(directory: Path) -> None:
    path = directory / "health.db"
    path.touch()
    path = path if ROOT else Path("/etc/hosts")
    with without_rights(), pytest.raises(BoardUnavailable, match=f"found a file of user 0, expected .* {os.geteuid()}"):
        open_store(str(path))


@pytest.mark.skipif(not ROOT, reason="makes files of another user")
@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_file_of_another_user_next_to_the_board_is_refused_and_not_written_to(directory: Path, suffix: str) -> None:
    with without_rights():
        store = open_store(str(directory / "health.db"))
        put(store, "a")
        store.close()
    planted = with_suffix(directory / "health.db", suffix)
    planted.touch()
    planted.chmod(0o666)
    with without_rights(), pytest.raises(BoardUnavailable, match=f"{suffix}': found a file of user 0"):
        open_store(str(directory / "health.db"))
    assert planted.stat().st_size == 0


@pytest.mark.parametrize("path", ["", ":memory:", "a\0b", "/dev/null/health.db"])
def test_a_path_that_names_no_file_is_refused(path: str) -> None:
    with pytest.raises(BoardUnavailable, match=r"^board "):
        open_store(path)


# ------------------------------------------------------------------------------------------------ several processes


def run(program: str, *arguments: object) -> str:
    command = [sys.executable, "-c", dedent(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout


def test_a_fork_of_a_process_cannot_use_what_it_opened_and_does_no_harm_to_it(board: Board) -> None:
    program = """
        import os, sys
        from asgi_health.board.database import open_store
        from asgi_health.board.interface import BoardUnavailable
        from tests.board.published import published

        store = open_store(sys.argv[1])
        with store.transaction() as rows:
            rows.put_worker(published("parent"))
        child = os.fork()
        if not child:
            try:
                with store.transaction():
                    pass
            except BoardUnavailable as error:
                print(error)
            store.close()
            own = open_store(sys.argv[1])
            with own.transaction() as rows:
                rows.put_worker(published("child"))
            sys.exit()
        os.waitpid(child, 0)
        with store.transaction() as rows:
            print([worker.key for worker in rows.living_workers()])
    """
    error, living = run(program, board.path).splitlines()
    assert "expected each process to open the board itself" in error
    assert living == "['parent']"


def test_processes_that_make_the_file_at_once_share_it_and_the_killed_ones_stop_no_other(board: Board) -> None:
    program = """
        import os, random, signal, sys, time
        from asgi_health.board import connection
        from asgi_health.board.database import open_store
        from tests.board.published import published

        connection.LOCK_TIMEOUT = 30.0  # they write all the time, and the machine may be busy

        def child(key):
            os.read(start, 1)
            store = open_store(sys.argv[1])
            while True:
                with store.transaction() as rows:
                    rows.put_worker(published(key))
                    rows.living_workers()

        def fork(key):
            pid = os.fork()
            if not pid:
                try:
                    os.close(go)
                    child(key)
                finally:
                    os._exit(1)
            return pid

        start, go = os.pipe()
        children = {fork(key): key for key in "abcdef"}
        os.close(go)  # all of them begin now
        store, seen = open_store(sys.argv[1]), set()
        while seen != {"own", *children.values()}:
            with store.transaction() as rows:
                rows.put_worker(published("own"))
                seen = {worker.key for worker in rows.living_workers()}
        for pid in list(children)[:5]:
            time.sleep(random.uniform(0.0, 0.02))
            os.kill(pid, signal.SIGKILL)
            for _ in range(5):
                with store.transaction() as rows:
                    rows.living_workers()
            os.waitpid(pid, 0)
        while len(seen) > 2:
            with store.transaction() as rows:
                seen = {worker.key for worker in rows.living_workers()}
        last = list(children)[-1]
        print(os.waitpid(last, os.WNOHANG) == (0, 0))
        os.kill(last, signal.SIGKILL)
        os.waitpid(last, 0)
    """
    assert run(program, board.path) == "True\n"


def test_no_moment_has_two_holders_of_the_lease(board: Board) -> None:
    program = """
        import os, random, sys, time
        from asgi_health.board import connection
        from asgi_health.board.database import open_store
        from asgi_health.core.lease import claim

        connection.LOCK_TIMEOUT = 30.0

        def child(key):
            store, term = open_store(sys.argv[1]), 0
            while term < 30:
                with store.transaction() as rows:
                    lease = rows.put_lease(claim(rows.lease(), key, time.monotonic(), 0.001, can_lead=True))
                term = lease.term
                if lease.holder == key:
                    os.write(1, f"{lease.term} {key} {time.monotonic()} {lease.until}\\n".encode())
                time.sleep(random.uniform(0.0, 0.003))

        children = []
        for key in "abc":
            pid = os.fork()
            if not pid:
                try:
                    child(key)
                finally:
                    os._exit(0)
            children.append(pid)
        for pid in children:
            os.waitpid(pid, 0)
    """
    holders: dict[int, set[str]] = {}
    begins: dict[int, float] = {}
    ends: dict[int, float] = {}
    for line in run(program, board.path).splitlines():
        term, key, begin, end = line.split()
        holders.setdefault(int(term), set()).add(key)
        begins[int(term)] = min(begins.get(int(term), float(begin)), float(begin))
        ends[int(term)] = max(ends.get(int(term), float(end)), float(end))
    assert len(holders) >= 29
    assert all(len(keys) == 1 for keys in holders.values())
    assert all(begins[term + 1] >= ends[term] for term in holders if term + 1 in holders)
