"""A mail server, by a client of aiosmtplib."""

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, cast

from ..core.result import Result, healthy
from ._support.cancellation import ends_when_cancelled
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, client_getter, load

if TYPE_CHECKING:
    import asyncio

    from aiosmtplib import SMTP


@catalogued(
    technology="SMTP",
    extra="smtp",
    asked="to connect as for a mail, with TLS and login where the client has them, then `NOOP` and `QUIT`",
    costs="one connection and one login, which mail servers log and limit: set an interval of a minute",
    privileges="to log in",
)
def aiosmtplib_client(new_client: "Callable[[], SMTP]") -> AsyncCheck:
    """Return a check of a mail server through a client of aiosmtplib, a new one for each run.

    The check does not share a connection with the application, and no mail is sent. Mail servers close a connection
    that is idle for some minutes. On a shared one, NOOP would wait until a mail is sent; and when the deadline cancels
    it, the next command of the application would take the answer to NOOP for its own.

    A client without ``local_hostname`` asks DNS for it, in a thread. The check does so once, not at each run. Before
    release 5.1.3 aiosmtplib leaves a connection open when the deadline cancels its login.

    Args:
        new_client: A function that returns a new client, not connected, as the application makes one to send a mail.

    Raises:
        ModuleNotFoundError: aiosmtplib is not installed.
        TypeError: `new_client` is not such a function, but a client for example.
    """
    aiosmtplib = load("aiosmtplib", extra="smtp")
    if isinstance(new_client, aiosmtplib.SMTP):
        raise TypeError("aiosmtplib_client: expected a plain function that returns a new client, not a client")
    get: Callable[[], SMTP] = client_getter(new_client, aiosmtplib.SMTP, by="aiosmtplib_client")
    latest: SMTP | None = None
    local_hostname: str | None = None

    async def ask(client: "SMTP") -> None:
        nonlocal local_hostname
        with close_aborts(client):
            await client.connect()
            try:
                local_hostname = client.local_hostname
                await client.noop()
                with suppress(aiosmtplib.SMTPException):  # the server has answered
                    await client.quit()
            finally:
                client.close()

    async def check() -> Result:
        nonlocal latest
        client = get()
        if client is latest or client.is_connected:
            raise ClientError("the function returned a client that is in use; expected a new one for each run")
        latest = client
        if client.local_hostname is None:
            client.local_hostname = local_hostname
        await ends_when_cancelled(ask(client))
        return healthy()

    return check


@contextmanager
def close_aborts(client: "SMTP") -> Generator[None]:
    """Make `client.close` end the connection without waiting for the server.

    With TLS a transport of asyncio that is closed sends close_notify, and stays open until the server answers, for up
    to 30 seconds. aiosmtplib closes its transport itself when `connect` fails or is cancelled, and forgets it: nothing
    else could abort it. The connection would be left to the garbage collector when the loop ends.
    """
    close = client.close

    def close_and_abort() -> None:
        transport = cast("asyncio.WriteTransport | None", client.transport)
        close()  # sends close_notify
        if transport is not None:
            transport.abort()

    client.close = close_and_abort  # type: ignore[method-assign]
    try:
        yield
    finally:
        del client.close
