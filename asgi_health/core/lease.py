"""The lease of a host: which of its workers runs the checks of the host and sends its alerts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one worker, until a moment. All times are seconds of `time.monotonic`.

    Attributes:
        holder: Key of the worker.
        term: Number of the holder: each new one counts one more.
        until: When it ends, unless the holder renews it before.
    """

    holder: str
    term: int
    until: float


MAX_SECONDS = 60.0
"""Seconds that no lease lasts. One that seems to is from an earlier boot, whose clock was ahead of this one."""


def claim(lease: Lease | None, key: str, now: float, seconds: float, *, can_lead: bool) -> Lease | None:
    """Return the lease as it is after a worker has asked for it.

    The caller reads the lease, calls this and writes the result in one transaction of the board, with a `now` that it
    takes inside of the transaction. A holder acts until `until` and no longer, so no moment has two.

    Args:
        lease: The present lease; None for none.
        key: Key of the worker that asks.
        now: The moment (monotonic seconds).
        seconds: How long a lease lasts, from `now`; less than `MAX_SECONDS`.
        can_lead: Whether the worker can do what the lease is for: its event loop runs, and it does not stop. A holder
            that cannot gives the lease up.
    """
    held = lease is not None and now < lease.until <= now + MAX_SECONDS
    if lease is not None and held and lease.holder != key:
        return lease
    if not can_lead:
        return None if lease is None else Lease(lease.holder, lease.term, min(lease.until, now))
    if lease is not None and held:
        return Lease(key, lease.term, now + seconds)
    return Lease(key, 1 if lease is None else lease.term + 1, now + seconds)
