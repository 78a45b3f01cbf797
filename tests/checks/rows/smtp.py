"""SMTP by aiosmtplib, with and without STARTTLS."""

import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import aiosmtplib

from asgi_health.checks.smtp import aiosmtplib_client

from ..servers import Target
from ..servers.smtp import AUTHORITY
from .row import TIMED_OUT, Open, Row


def opener(*, start_tls: bool) -> Open:
    @asynccontextmanager
    async def open_client(target: Target) -> AsyncGenerator[Callable[[], aiosmtplib.SMTP]]:
        context = ssl.create_default_context()
        AUTHORITY.configure_trust(context)
        yield lambda: aiosmtplib.SMTP(
            hostname=target.host,
            port=target.port,
            username=target.user,
            password=target.password,
            start_tls=start_tls,
            tls_context=context,
        )

    return open_client


CANNOT = r"^SMTPConnectError: Error connecting to 127\.0\.0\.1 on port \d+: "
REFUSED = rf"{CANNOT}\[Errno 111\] (Connect call failed|Connection refused)"


def row(name: str, *, start_tls: bool) -> Row:
    return Row(
        name,
        server="smtp",
        check=aiosmtplib_client,
        open=opener(start_tls=start_tls),
        drivers=("aiosmtplib",),
        extra="smtp",
        takes_client=False,
        messages={
            "healthy": "^$",
            "refused": REFUSED,
            "killed": REFUSED,
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": rf"{CANNOT}(Connection lost|\[Errno 104\])",
            "trickled": TIMED_OUT,
            "wrong_password": r"^SMTPAuthenticationError: .*535.*Authentication credentials invalid",
            "many_runs": "^$",
        },
        without={
            "wrong_database": "SMTP has none",
            "exhausted": "each run has a connection of its own",
            "exhausted_and_frozen": "each run has a connection of its own",
            "exhausted_and_killed": "each run has a connection of its own",
            "closed": "each run has a client of its own",
        },
    )


ROWS = (
    row("smtp", start_tls=False),
    row("smtp+starttls", start_tls=True),
)
