"""The board in a file of SQLite, which the workers of a host share."""

import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from math import isfinite
from secrets import token_hex
from threading import Lock

from ..core.lease import Lease
from ..core.maintenance import Maintenance
from ..core.workers import Worker
from .codec import FORMAT, EncodedResults, decode_maintenance, encode, encode_maintenance
from .connection import APPLICATION_ID, LOCK_TIMEOUT, Connection, Damaged
from .interface import BoardUnavailable, Store
from .processes import ProcessIdentity, this_process
from .slots import MAX_AHEAD, Slot, Slots

# The names carry the format: two releases on one file do not misread each other.
_META, _WORKERS, _LEASE, _MAINTENANCES = (f"{name}_{FORMAT}" for name in ("meta", "worker", "lease", "maintenance"))
_TABLES = (
    f"CREATE TABLE IF NOT EXISTS {_META} (id INTEGER PRIMARY KEY, identity BLOB, boot BLOB)",
    f"CREATE TABLE IF NOT EXISTS {_WORKERS} (key BLOB PRIMARY KEY, pid, started, namespace, row) WITHOUT ROWID",
    f"CREATE TABLE IF NOT EXISTS {_LEASE} (id INTEGER PRIMARY KEY, holder BLOB, term, until)",
    f"CREATE TABLE IF NOT EXISTS {_MAINTENANCES} (name BLOB PRIMARY KEY, row) WITHOUT ROWID",
)

_NO_LEASE = """id <> 1 OR typeof(holder) <> 'blob' OR typeof(term) <> 'integer' OR typeof(until) <> 'real'
    OR until NOT BETWEEN -1e300 AND 1e300"""

_opening = Lock()


def open_store(path: str) -> Store:
    """Open the board at `path`, and make it where there is none. Raises BoardUnavailable."""
    if not path or path == ":memory:" or "\0" in path:
        raise BoardUnavailable(f"board {path!r}: found no name of a file, expected one, such as '/run/app/health.db'")
    # One thread at a time: to close a file that another thread has open through SQLite would release its locks.
    if not _opening.acquire(timeout=LOCK_TIMEOUT):
        raise BoardUnavailable(
            f"board {path!r}: found another thread that opens a board for {LOCK_TIMEOUT} s, expected less"
        )
    try:
        path = os.path.abspath(path)
        try:
            return Database(path)
        except Damaged:
            return Database(path)
    except OSError as error:
        raise BoardUnavailable(f"board {path!r}: {error.strerror or error}") from error
    finally:
        _opening.release()


class Database:
    """The `Store` on SQLite."""

    def __init__(self, path: str) -> None:
        self._connection = Connection(path)
        try:
            self.identity = self._set_up()
        except BaseException:
            self._connection.close()
            raise
        self._process = this_process()
        self._slots = Slots(self._process)
        self._encoded: EncodedResults = {}

    @contextmanager
    def transaction(self) -> Generator["Rows"]:
        """Begin a turn. Raises BoardUnavailable where the file is no longer the one that was opened, or in a fork."""
        self._connection.check()
        yield Rows(self._connection, self._process, self._slots, self._encoded)

    def close(self) -> None:
        """Close the board."""
        self._connection.close()

    def _set_up(self) -> str:
        execute = self._connection.execute
        with self._connection.transaction():
            execute(f"PRAGMA application_id={APPLICATION_ID}")
            for table in _TABLES:
                execute(table)
            boot = _boot()
            match execute(f"SELECT identity, boot FROM {_META}"):
                case [(bytes() as identity, found)] if found == boot:
                    pass
                case _:
                    # The monotonic clock begins anew with each boot, so the times of another one mean nothing.
                    for table in (_WORKERS, _LEASE, _MAINTENANCES):
                        execute(f"DELETE FROM {table}")
                    identity = token_hex(16).encode()
                    execute(f"INSERT OR REPLACE INTO {_META} VALUES (1, ?, ?)", (identity, boot))
        return identity.decode("ascii", "replace")


class Rows:
    """The `Transaction` on SQLite.

    SQLite commits each statement by itself. A transaction around all of a turn would be simpler, but a process that is
    stopped (SIGSTOP) in the middle of it would lock the board, and one whose app computes would do so for up to 66 ms.

    Args:
        connection: The connection.
        process: This process.
        slots: The slots that it has read last.
        encoded: The results that it has written last.
    """

    def __init__(self, connection: Connection, process: ProcessIdentity, slots: Slots, encoded: EncodedResults) -> None:
        self._execute = connection.execute
        self._process = process
        self._slots = slots
        self._encoded = encoded
        self._lease: Lease | None = None
        self._maintenances: dict[bytes, bytes] = {}

    def put_worker(self, worker: Worker) -> None:
        """Write the slot of this worker."""
        own = self._process
        row = (_to_bytes(worker.key), own.pid, own.started, own.namespace, encode(worker, self._encoded))
        self._execute(f"INSERT OR REPLACE INTO {_WORKERS} VALUES (?, ?, ?, ?, ?)", row)

    def delete_worker(self, key: str) -> None:
        """Delete a slot."""
        self._execute(f"DELETE FROM {_WORKERS} WHERE key = ?", (_to_bytes(key),))

    def living_workers(self) -> Sequence[Worker]:
        """Return the workers whose process exists; the slots of others are deleted."""
        rows = self._execute(f"SELECT key, pid, started, namespace, row FROM {_WORKERS}")
        workers, others = self._slots.living(Slot(*row) for row in rows)
        for slot in others:
            self._execute(f"DELETE FROM {_WORKERS} WHERE key = ? AND row IS ?", (slot.key, slot.row))
        return workers

    def lease(self) -> Lease | None:
        """Return the lease of the host."""
        self._lease = self._read_lease()
        return self._lease

    def put_lease(self, lease: Lease) -> Lease:
        """Write the lease, unless another worker has written one since `lease` was called; return what counts."""
        row, read = (_to_bytes(lease.holder), lease.term, float(lease.until)), self._lease
        if read is None:
            self._execute(f"INSERT OR IGNORE INTO {_LEASE} VALUES (1, ?, ?, ?)", row)
        else:
            self._execute(
                f"UPDATE {_LEASE} SET holder = ?, term = ?, until = ? WHERE holder = ? AND term = ? AND until = ?",
                (*row, _to_bytes(read.holder), read.term, read.until),
            )
        written = self.lease()
        if written is None:
            raise BoardUnavailable("board: found no lease after one was written, expected one")
        return written

    def maintenances(self) -> Sequence[Maintenance]:
        """Return the maintenances, those that are over too."""
        self._maintenances = dict(self._execute(f"SELECT name, row FROM {_MAINTENANCES}"))
        maintenances: list[Maintenance] = []
        latest = time.monotonic() + MAX_AHEAD
        for name, row in list(self._maintenances.items()):
            try:
                maintenance = decode_maintenance(row)
                if maintenance.since <= latest:
                    maintenances.append(maintenance)
                    continue
            except (AttributeError, TypeError, ValueError):
                pass  # it is damaged
            self._delete_maintenance(name)
        return maintenances

    def put_maintenance(self, maintenance: Maintenance) -> None:
        """Write a maintenance, in place of the present one of the same check, or of the app."""
        name, row = _name_of(maintenance.check), encode_maintenance(maintenance)
        self._maintenances[name] = row
        self._execute(f"INSERT OR REPLACE INTO {_MAINTENANCES} VALUES (?, ?)", (name, row))

    def delete_maintenance(self, check: str | None) -> None:
        """Delete the maintenance of a check, or of the app for None, unless it has changed since it was read."""
        self._delete_maintenance(_name_of(check))

    def _read_lease(self) -> Lease | None:
        match self._execute(f"SELECT holder, term, until FROM {_LEASE}"):
            case []:
                return None
            case [(bytes() as holder, int() as term, float() as until)] if isfinite(until):
                return Lease(holder.decode("utf-8", "surrogatepass"), term, until)
            case _:
                # It is damaged: no comparison would match it.
                self._execute(f"DELETE FROM {_LEASE} WHERE {_NO_LEASE}")
                return None

    def _delete_maintenance(self, name: bytes) -> None:
        if name in self._maintenances:
            row = self._maintenances.pop(name)
            self._execute(f"DELETE FROM {_MAINTENANCES} WHERE name = ? AND row IS ?", (name, row))
        else:
            self._execute(f"DELETE FROM {_MAINTENANCES} WHERE name = ?", (name,))


def _boot() -> bytes:
    """Return what tells this boot from others; empty where the system does not say."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read().strip()
    except OSError:
        return b""


def _name_of(check: str | None) -> bytes:
    return b"app" if check is None else b"check " + _to_bytes(check)


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
