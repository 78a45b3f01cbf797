"""Helpers for tests of your own checks and apps, on asyncio and on trio.

result = await check_once(Check("database", ping))
async with lifespan(app):
    await settled(app.health)
    assert (await probe(app, "/readyz")).status == 200
    with break_check(app.health, "database"):
        assert_not_ready(app.health, because="database")
"""

from .assertions import assert_not_ready, assert_ready, health_of
from .breaking import BrokenCheck, break_check
from .running import Response, check_once, lifespan, probe, settled

__all__ = [
    "BrokenCheck",
    "Response",
    "assert_not_ready",
    "assert_ready",
    "break_check",
    "check_once",
    "health_of",
    "lifespan",
    "probe",
    "settled",
]
