"""The resolver of the system: names that are in its files, and one without an address."""

import re
import socket
import threading
from typing import Any

import anyio
import pytest

from asgi_health import Check, Health, Result, Status
from asgi_health.checks.dns import dns_name
from tests.support.waiting import wait_until_async

from .observe import expect, observe, run_due

pytestmark = pytest.mark.anyio


async def test_a_name_that_resolves_is_healthy() -> None:
    result = await expect(dns_name("localhost"), Status.HEALTHY, "^$", timeout=10.0)
    assert result.data["addresses"][0] in (1, 2)


async def test_fewer_addresses_than_expected_is_a_failure() -> None:
    result = await expect(
        dns_name("127.0.0.1", minimum=2), Status.UNHEALTHY, "^found 1 address, expected at least 2$", timeout=10.0
    )
    assert result.data == {"addresses": (1, "")}


IPV4, IPV6 = socket.AF_INET, socket.AF_INET6


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ([(IPV4, "10.0.0.1"), (IPV6, "fd00::1")], 1),
        ([(IPV4, "10.0.0.1"), (IPV6, "fd00::1"), (IPV6, "fd00::2")], 2),
        ([(IPV4, "10.0.0.1"), (IPV4, "10.0.0.2"), (IPV4, "10.0.0.2")], 2),
    ],
)
async def test_a_pod_with_an_address_of_each_family_counts_once(
    monkeypatch: pytest.MonkeyPatch, answer: list[tuple[int, str]], count: int
) -> None:
    found = [(family, socket.SOCK_STREAM, 6, "", (address, 0)) for family, address in answer]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    status = Status.HEALTHY if count == 2 else Status.UNHEALTHY
    result = await expect(dns_name("pods.example", minimum=2), status, "", timeout=10.0)
    assert result.data == {"addresses": (count, "")}


async def test_a_name_without_an_address_fails() -> None:
    # RFC 6761: the name never exists. Without a network the resolver fails too, with another message.
    await expect(dns_name("missing.invalid"), Status.UNHEALTHY, "^gaierror: ", timeout=30.0, category="dns")


async def test_sixty_runs_leak_no_thread() -> None:
    check = dns_name("127.0.0.1")
    before = threading.active_count()
    for _ in range(60):
        assert (await observe(check, 10.0)).result.status is Status.HEALTHY
    await wait_until_async(lambda: threading.active_count() <= before, "all threads have ended")


async def test_a_silent_resolver_blocks_one_thread_over_all_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered, asked, resolve = threading.Event(), list[threading.Thread](), socket.getaddrinfo

    def silent(*arguments: Any, **options: Any) -> Any:
        asked.append(threading.current_thread())
        assert answered.wait(60)
        return resolve(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    health = Health([Check("name", dns_name("127.0.0.1"), timeout=0.1, interval=0.02, retry_interval=0.02)])

    async def result() -> Result:
        await anyio.sleep(0.05)  # it is due again
        await run_due(health)
        found = health.report().checks[0].state.result
        assert found is not None
        return found

    for _ in range(5):
        found = await result()
        assert found.status is Status.UNHEALTHY
        assert re.match(r"(timed out|still running) after ", found.message)
    assert len(asked) == 1
    answered.set()
    await wait_until_async(lambda: not asked[0].is_alive(), "the answer ends the thread")
    end = anyio.current_time() + 10
    while (found := await result()).status is not Status.HEALTHY:
        assert anyio.current_time() < end, found


@pytest.mark.parametrize(
    ("host", "minimum", "error"),
    [(None, 1, TypeError), ("https://host", 1, ValueError), ("host", "1", TypeError), ("host", 0, ValueError)],
)
def test_a_wrong_argument_is_refused_when_the_check_is_made(host: Any, minimum: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^dns_name: (host|minimum) must be "):
        dns_name(host, minimum=minimum)
