"""How full a pool is, where its driver tells."""

from types import SimpleNamespace
from typing import Any

from asgi_health import Status
from asgi_health.checks._support.pool import Usage, answered, exhausted, usage_of


def usage_in(pool: Any) -> Usage | None:
    return usage_of(lambda: Usage(pool._in_use, pool._size))


def test_a_driver_that_has_other_private_parts_costs_the_figures_and_no_more() -> None:
    usage = usage_in(SimpleNamespace(_in_use=2))
    assert not exhausted(usage)
    assert (answered(usage).status, answered(usage).data) == (Status.HEALTHY, {})


def test_a_driver_that_tells_is_believed() -> None:
    usage = usage_in(SimpleNamespace(_in_use=2, _size=2))
    assert exhausted(usage)
    assert (answered(usage).status, answered(usage).message) == (Status.DEGRADED, "pool exhausted: 2 of 2 in use")
