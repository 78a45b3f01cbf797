"""Certificates of an authority of the tests, presented by real servers: asyncio for each kind, uvicorn for the rest."""

import asyncio
import os
import socket
import ssl
import sys
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from asgi_health import Status
from asgi_health.checks.tls import tls_certificate
from tests.support.waiting import wait_until_async

from .daemon import Daemon
from .loops import on_each_loop
from .observe import expect, observe, recovers
from .port import HOST, accepts, reserved_port
from .proxy import proxied
from .rows.row import TIMED_OUT
from .servers.http import ROOT

pytestmark = [pytest.mark.anyio, pytest.mark.processes, pytest.mark.xdist_group("checks tls")]

AUTHORITY = trustme.CA()


def trusting(authority: trustme.CA = AUTHORITY) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def nameless() -> ssl.SSLContext:
    context = trusting()
    context.check_hostname = False
    return context


@asynccontextmanager
async def shown(*, days: float, name: str = HOST, authority: trustme.CA = AUTHORITY) -> AsyncGenerator[int]:
    """Serve a certificate that expires after that many days; yield the port."""
    now = datetime.now(UTC)
    leaf = authority.issue_cert(name, not_before=now - timedelta(days=90), not_after=now + timedelta(days=days))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, HOST, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("days", "options", "status", "message"),
    [
        (60.5, {}, Status.HEALTHY, "^$"),
        (14.5, {}, Status.HEALTHY, "^$"),
        (13.5, {}, Status.DEGRADED, r"^the certificate expires in 13 days, on 20\d\d-\d\d-\d\d$"),
        (0.5, {}, Status.DEGRADED, r"^the certificate expires in 0 days, on "),
        (-0.5, {}, Status.UNHEALTHY, "^the certificate has expired$"),
        (13.5, {"warn_days": 7}, Status.HEALTHY, "^$"),
        (60.5, {"warn_days": 90}, Status.DEGRADED, "^the certificate expires in 60 days"),
    ],
)
async def test_the_days_before_the_expiry_decide(
    days: float, options: dict[str, Any], status: Status, message: str
) -> None:
    async with shown(days=days) as port:
        result = await expect(tls_certificate(HOST, port, context=trusting(), **options), status, message, timeout=5.0)
        if days > 0:
            assert result.data["expires_in"] == (days, "days")


async def test_a_certificate_of_another_name_is_a_failure() -> None:
    async with shown(days=60, name="other.example") as port:
        check = tls_certificate(HOST, port, context=trusting())
        await expect(check, Status.UNHEALTHY, "^SSLCertVerificationError: .*mismatch", timeout=5.0, category="tls")
        named = tls_certificate(HOST, port, server_name="other.example", context=trusting())
        await expect(named, Status.HEALTHY, "^$", timeout=5.0)


async def test_a_certificate_of_an_unknown_authority_is_a_failure() -> None:
    async with shown(days=60) as port:
        check = tls_certificate(HOST, port, context=trusting(trustme.CA()))
        await expect(check, Status.UNHEALTHY, "^SSLCertVerificationError: .*verify failed", timeout=5.0, category="tls")


class Https:
    """uvicorn with a valid certificate."""

    def __init__(self, folder: Path, port: int) -> None:
        certificate = AUTHORITY.issue_cert(HOST)
        key, chain = folder / "key.pem", folder / "chain.pem"
        certificate.private_key_pem.write_to_path(key)
        certificate.cert_chain_pems[0].write_to_path(chain)
        place = ["--app-dir", str(ROOT), "--host", HOST, "--port", str(port), "--lifespan", "off"]
        tls = ["--ssl-keyfile", str(key), "--ssl-certfile", str(chain)]
        command = [sys.executable, "-m", "uvicorn", "tests.checks.servers.http:app", *place, *tls]
        self.port = port
        self.daemon = Daemon("uvicorn with TLS", command, folder / "log")

    def start(self) -> None:
        self.daemon.start(lambda: accepts(self.port))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Https]:
    with reserved_port() as port:
        server = Https(tmp_path_factory.mktemp("https"), port)
        server.start()
        yield server
        server.daemon.kill()


@pytest.fixture
def https(running: Https) -> Iterator[Https]:
    yield running
    running.daemon.thaw()
    if not running.daemon.alive:
        running.start()


@on_each_loop
async def test_a_server_that_was_killed_is_refused_and_recovers(https: Https) -> None:
    check = tls_certificate(HOST, https.port, context=trusting())
    await expect(check, Status.HEALTHY, "^$", timeout=5.0)
    https.daemon.kill()
    await expect(check, Status.UNHEALTHY, "^ConnectionRefusedError: ", category="refused")
    https.start()
    await recovers(check)


@on_each_loop
async def test_a_frozen_server_is_a_timeout_and_recovers(https: Https) -> None:
    check = tls_certificate(HOST, https.port, context=trusting())
    await expect(check, Status.HEALTHY, "^$", timeout=5.0)
    https.daemon.freeze()
    await expect(check, Status.UNHEALTHY, TIMED_OUT, category="timeout")
    https.daemon.thaw()
    await recovers(check)


@on_each_loop
@pytest.mark.parametrize(("answer", "message"), [(b"220 mail.example ESMTP\r\n", "SSLError"), (b"", "SSLEOFError")])
async def test_a_server_without_tls_fails(answer: bytes, message: str) -> None:
    """In a thread of its own, because a server of asyncio would need the loop."""
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as line:
                line.recv(65536)
                line.sendall(answer)

        with ThreadPoolExecutor() as pool:
            served = pool.submit(serve)
            check = tls_certificate(HOST, listener.getsockname()[1], context=trusting())
            await expect(check, Status.UNHEALTHY, f"^({message}|ConnectionResetError): ")
            served.result()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [("swallow", TIMED_OUT), ("trickle", TIMED_OUT), ("reset", "^(ConnectionResetError|ConnectionAbortedError)")],
)
async def test_a_bad_network_is_reported(https: Https, break_it: str, message: str) -> None:
    async with proxied(https.port) as proxy:
        check = tls_certificate(HOST, proxy.port, context=trusting())
        await expect(check, Status.HEALTHY, "^$", timeout=5.0)
        getattr(proxy, break_it)()
        await expect(check, Status.UNHEALTHY, message)
        proxy.heal()
        await recovers(check)


@on_each_loop
async def test_sixty_runs_leak_nothing(https: Https) -> None:
    check = tls_certificate(HOST, https.port, context=trusting())
    await expect(check, Status.HEALTHY, "", timeout=5.0)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(60):
        assert (await observe(check, 5.0)).result.status is Status.HEALTHY
    https.daemon.freeze()
    for _ in range(10):
        assert (await observe(check, 0.02)).result.status is Status.UNHEALTHY
    https.daemon.thaw()
    await wait_until_async(lambda: len(os.listdir("/proc/self/fd")) <= before, "all descriptors are closed")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"host": "https://host"}, ValueError, "host must be"),
        ({"port": "443"}, TypeError, "port must be"),
        # Private, and yet what people copy into their programs.
        ({"context": ssl._create_unverified_context()}, ValueError, "context must have verify_mode CERT_REQUIRED"),
        ({"context": nameless()}, ValueError, "context must have check_hostname"),
        ({"warn_days": -1}, ValueError, "warn_days must be"),
        ({"warn_days": "14"}, TypeError, "warn_days must be"),
    ],
)
def test_a_wrong_argument_is_refused_when_the_check_is_made(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^tls_certificate: {message}"):
        tls_certificate(**{"host": HOST, "port": 443, **options})
