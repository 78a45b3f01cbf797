"""A TLS certificate, which expires."""

import ssl
import time
from typing import Any

from ..core.result import Result, degraded, healthy, unhealthy
from ._support.arguments import require_host, require_port, require_whole
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck
from .tcp import connected

SECONDS_PER_DAY = 86400.0
CERT_HAS_EXPIRED = 10
"""The code of OpenSSL for a chain with a certificate that has expired: X509_V_ERR_CERT_HAS_EXPIRED."""


@catalogued(
    technology="TLS certificate",
    extra="",
    asked="a handshake, which verifies the certificate; the connection is closed at once",
    costs="one connection and handshake: give it an interval of an hour",
    privileges="none",
)
def tls_certificate(
    host: str,
    port: int = 443,
    *,
    server_name: str | None = None,
    warn_days: int = 14,
    context: ssl.SSLContext | None = None,
) -> AsyncCheck:
    """Return a check of the certificate that `host` presents on `port`.

    It is degraded from `warn_days` before the certificate expires. It fails when the certificate has expired, has
    another name, or is of an unknown authority. The intermediate certificates fail in the same way, but the check does
    not warn before they expire.

    Args:
        host: The host name or IP address.
        port: The number of the port.
        server_name: The name that the certificate must have. None: `host`.
        warn_days: Days before the expiry from which on the check is degraded.
        context: Holds the known authorities. None: those of the system.

    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is out of its range, or `context` does not verify the certificate or its name.
    """
    import anyio
    from anyio.streams.tls import TLSAttribute  # here, so that importing this module costs nothing

    require_host("tls_certificate", host)
    require_port("tls_certificate", port)
    require_whole("tls_certificate", "warn_days", warn_days, lowest=0, highest=1000)
    trusted = ssl.create_default_context() if context is None else context
    if trusted.verify_mode is not ssl.CERT_REQUIRED:
        raise ValueError(
            "tls_certificate: context must have verify_mode CERT_REQUIRED: no other mode verifies the certificate"
        )
    if not trusted.check_hostname:
        raise ValueError("tls_certificate: context must have check_hostname: otherwise the name is not verified")

    async def check() -> Result:
        try:
            connection = await connected(
                anyio.connect_tcp(host, port, ssl_context=trusted, tls_hostname=server_name or host)
            )
        except ssl.SSLCertVerificationError as error:
            if error.verify_code == CERT_HAS_EXPIRED:
                return unhealthy("the certificate has expired")
            raise
        certificate: Any = connection.extra(TLSAttribute.peer_certificate)
        await anyio.aclose_forcefully(connection)
        expiry = ssl.cert_time_to_seconds(certificate["notAfter"])
        days = (expiry - time.time()) / SECONDS_PER_DAY
        data = {"expires_in": (round(days, 1), "days")}
        if days < warn_days:
            date = time.strftime("%Y-%m-%d", time.gmtime(expiry))
            return degraded(f"the certificate expires in {max(int(days), 0)} days, on {date}", data=data)
        return healthy(data=data)

    return check
