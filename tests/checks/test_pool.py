"""The usage of a pool, where its driver exposes it."""

from types import SimpleNamespace
from typing import Any

from asgi_health import Status
from asgi_health.checks._support.pool import Usage, answered, exhausted, usage_of


def usage_in(pool: Any) -> Usage | None:
    return usage_of(lambda: Usage(pool._in_use, pool._size))


def test_a_driver_with_other_private_attributes_costs_only_the_numbers() -> None:
    usage = usage_in(SimpleNamespace(_in_use=2))
    assert not exhausted(usage)
    assert (answered(usage).status, answered(usage).data) == (Status.HEALTHY, {})


def test_a_driver_with_the_private_attributes_gives_the_usage() -> None:
    usage = usage_in(SimpleNamespace(_in_use=2, _size=2))
    assert exhausted(usage)
    assert (answered(usage).status, answered(usage).message) == (Status.DEGRADED, "pool exhausted: 2 of 2 in use")
