"""What a worker reads from the board and writes to it, in one turn."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ..core.lease import Lease
from ..core.maintenance import Maintenance
from ..core.workers import Worker


class BoardUnavailable(Exception):
    """The board cannot be used at the moment; the message says why."""


class Locked(BoardUnavailable):
    """Other processes have locked the board for too long. The store stays open."""


class Transaction(Protocol):
    """The board for one turn of a worker. Each method may raise BoardUnavailable.

    Each method is atomic, and nothing is locked between two of them: the others go on when this process is stopped, or
    when its interpreter is blocked, in the middle of a turn.
    """

    def put_worker(self, worker: Worker) -> None:
        """Write the slot of this worker."""
        ...

    def delete_worker(self, key: str) -> None:
        """Delete a slot."""
        ...

    def living_workers(self) -> Sequence[Worker]:
        """Return the workers whose process exists; the slots of others are deleted."""
        ...

    def lease(self) -> Lease | None:
        """Return the lease of the host."""
        ...

    def put_lease(self, lease: Lease) -> Lease:
        """Write the lease, unless another worker has written one since `lease` was called; return the one that counts.

        A worker holds the lease only where the one returned says so.
        """
        ...

    def maintenances(self) -> Sequence[Maintenance]:
        """Return the maintenances, those that are over too."""
        ...

    def put_maintenance(self, maintenance: Maintenance) -> None:
        """Write a maintenance, in place of the present one of the same check, or of the app."""
        ...

    def delete_maintenance(self, check: str | None) -> None:
        """Delete the maintenance of a check, or of the app for None, unless it has changed since it was read."""
        ...


class Store(Protocol):
    """A board that is open. One thread uses it."""

    @property
    def identity(self) -> str:
        """A text that differs for each file: one that was made again has lost what was in it."""
        ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Begin a turn. Raises BoardUnavailable where the file is no longer the one that was opened, or in a fork."""
        ...

    def close(self) -> None:
        """Close the board."""
        ...
