"""The board in a file of SQLite, which the workers of a host share."""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from math import isfinite
from secrets import token_hex
from threading import Lock

from ..core.lease import Lease
from ..core.maintenance import Maintenance
from ..core.workers import Worker
from .codec import FORMAT, decode_maintenance, encode, encode_maintenance
from .connection import APPLICATION_ID, LOCK_TIMEOUT, Connection, Damaged
from .interface import CannotUse, Store
from .processes import ProcessIdentity, this_process
from .slots import Slot, Slots

# The names carry the format: two releases on one file do not misread each other.
_META, _WORKERS, _LEASE, _MAINTENANCES = (f"{name}_{FORMAT}" for name in ("meta", "worker", "lease", "maintenance"))
_TABLES = (
    f"CREATE TABLE IF NOT EXISTS {_META} (id INTEGER PRIMARY KEY, identity BLOB, boot BLOB)",
    f"CREATE TABLE IF NOT EXISTS {_WORKERS} (key BLOB PRIMARY KEY, pid, started, namespace, row) WITHOUT ROWID",
    f"CREATE TABLE IF NOT EXISTS {_LEASE} (id INTEGER PRIMARY KEY, holder BLOB, term, until)",
    f"CREATE TABLE IF NOT EXISTS {_MAINTENANCES} (name BLOB PRIMARY KEY, row) WITHOUT ROWID",
)

_opening = Lock()


def open_store(path: str) -> Store:
    """Open the board at `path`, and make it where there is none. Raises CannotUse."""
    if not path or path == ":memory:" or "\0" in path:
        raise CannotUse(f"board {path!r}: found no name of a file, expected one, such as '/run/app/health.db'")
    # One thread at a time: to close a file that another thread has open through SQLite would release its locks.
    if not _opening.acquire(timeout=LOCK_TIMEOUT):
        raise CannotUse(f"board {path!r}: found another thread that opens a board for {LOCK_TIMEOUT} s, expected less")
    try:
        path = os.path.abspath(path)
        try:
            return Database(path)
        except Damaged:
            return Database(path)
    except OSError as error:
        raise CannotUse(f"board {path!r}: {error.strerror or error}") from error
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

    @contextmanager
    def transaction(self) -> Generator["Rows"]:
        """Begin a transaction that writes; it is committed at the end of the block. Raises CannotUse."""
        self._connection.check()
        self._slots.examine(read_slots(self._connection))  # before the lock, for which the other workers wait
        with self._connection.transaction():
            yield Rows(self._connection, self._process, self._slots)

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


def read_slots(connection: Connection) -> list[Slot]:
    """Return all slots."""
    return [Slot(*row) for row in connection.execute(f"SELECT key, pid, started, namespace, row FROM {_WORKERS}")]


class Rows:
    """The `Transaction` on SQLite.

    Args:
        connection: A connection on which a transaction has begun.
        process: This process.
        slots: The slots, which have been examined before.
    """

    def __init__(self, connection: Connection, process: ProcessIdentity, slots: Slots) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._process = process
        self._slots = slots

    def put_worker(self, worker: Worker) -> None:
        """Write the slot of this worker."""
        own = self._process
        row = (_to_bytes(worker.key), own.pid, own.started, own.namespace, encode(worker))
        self._execute(f"INSERT OR REPLACE INTO {_WORKERS} VALUES (?, ?, ?, ?, ?)", row)

    def delete_worker(self, key: str) -> None:
        """Delete a slot."""
        self._delete_worker(_to_bytes(key))

    def living_workers(self) -> Sequence[Worker]:
        """Return the workers whose process exists; the slots of others are deleted."""
        workers, others = self._slots.living(read_slots(self._connection))
        for key in others:
            self._delete_worker(key)
        return workers

    def lease(self) -> Lease | None:
        """Return the lease of the host."""
        match self._execute(f"SELECT holder, term, until FROM {_LEASE}"):
            case [(bytes() as holder, int() as term, float() as until)] if isfinite(until):
                return Lease(holder.decode("utf-8", "replace"), term, until)
            case _:
                return None

    def put_lease(self, lease: Lease) -> None:
        """Write the lease of the host."""
        row = (_to_bytes(lease.holder), lease.term, float(lease.until))
        self._execute(f"INSERT OR REPLACE INTO {_LEASE} VALUES (1, ?, ?, ?)", row)

    def maintenances(self) -> Sequence[Maintenance]:
        """Return the maintenances, those that are over too."""
        maintenances: list[Maintenance] = []
        for name, row in self._execute(f"SELECT * FROM {_MAINTENANCES}"):
            try:
                maintenances.append(decode_maintenance(row))
            except (ValueError, TypeError, AttributeError):
                self._delete_maintenance(name)
        return maintenances

    def put_maintenance(self, maintenance: Maintenance) -> None:
        """Write a maintenance, in place of the present one of the same check, or of the app."""
        row = (_name_of(maintenance.check), encode_maintenance(maintenance))
        self._execute(f"INSERT OR REPLACE INTO {_MAINTENANCES} VALUES (?, ?)", row)

    def delete_maintenance(self, check: str | None) -> None:
        """Delete the maintenance of a check, or of the app for None."""
        self._delete_maintenance(_name_of(check))

    def _delete_worker(self, key: bytes) -> None:
        self._execute(f"DELETE FROM {_WORKERS} WHERE key = ?", (key,))

    def _delete_maintenance(self, name: bytes) -> None:
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
