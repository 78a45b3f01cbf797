"""The resolver of the system: names that are in its files, and one that nobody has."""

import threading
from typing import Any

import pytest

from asgi_health import Status
from asgi_health.checks.dns import dns_name

from .observe import expect, observe, threads_ended

pytestmark = pytest.mark.anyio


async def test_a_name_that_resolves_is_healthy() -> None:
    result = await expect(dns_name("localhost"), Status.HEALTHY, "^$", timeout=10.0)
    assert result.data["addresses"][0] in (1, 2)


async def test_fewer_addresses_than_expected_is_a_failure() -> None:
    result = await expect(
        dns_name("127.0.0.1", minimum=2), Status.UNHEALTHY, "^found 1 address, expected at least 2$", timeout=10.0
    )
    assert result.data == {"addresses": (1, "")}


async def test_a_name_that_nobody_has_is_told() -> None:
    # RFC 6761: nobody ever has it. Without a network the resolver says so too, in other words.
    await expect(dns_name("nobody.invalid"), Status.UNHEALTHY, "^gaierror: ", timeout=30.0)


async def test_two_hundred_runs_leak_no_thread() -> None:
    check = dns_name("127.0.0.1")
    before = threading.active_count()
    for _ in range(200):
        assert (await observe(check, 10.0)).result.status is Status.HEALTHY
    await threads_ended()
    assert threading.active_count() <= before


@pytest.mark.parametrize(
    ("host", "minimum", "error"),
    [(None, 1, TypeError), ("https://host", 1, ValueError), ("host", "1", TypeError), ("host", 0, ValueError)],
)
def test_a_mistake_is_told_when_the_check_is_made(host: Any, minimum: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^dns_name: (host|minimum) must be "):
        dns_name(host, minimum=minimum)
