"""A certificate that will expire."""

import ssl
import time
from typing import Any

from ..core.result import Result, degraded, healthy, unhealthy
from ._support.arguments import require_host, require_whole
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck
from .tcp import connected

DAY = 86400.0
EXPIRED = 10
"""What OpenSSL says of a chain with a certificate that has expired: X509_V_ERR_CERT_HAS_EXPIRED."""


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
    """Return a check of the certificate that `host` shows on `port`.

    It is degraded from `warn_days` before the certificate expires, and fails when it has, when it is of another name
    than `server_name` (by default `host`), or of an authority that `context` (by default the system's) does not know.
    The certificates between it and the authority warn of nothing, but fail alike. Raises TypeError and ValueError for
    what cannot be a host, a port or a number of days, and ValueError for a context that verifies no certificate, or not
    that it is of that name.
    """
    import anyio
    from anyio.streams.tls import TLSAttribute  # what brings it is in use already; importing this room costs nothing

    require_host("tls_certificate", host)
    require_whole("tls_certificate", "port", port, lowest=1, highest=65535)
    require_whole("tls_certificate", "warn_days", warn_days, lowest=0, highest=1000)
    trusted = ssl.create_default_context() if context is None else context
    if trusted.verify_mode is not ssl.CERT_REQUIRED:
        raise ValueError("tls_certificate: context must have verify_mode CERT_REQUIRED: no other looks at certificates")
    if not trusted.check_hostname:
        raise ValueError("tls_certificate: context must have check_hostname: no other looks at the certificate's name")

    async def shake_hands() -> Result:
        try:
            connection = await connected(
                anyio.connect_tcp(host, port, ssl_context=trusted, tls_hostname=server_name or host)
            )
        except ssl.SSLCertVerificationError as error:
            if error.verify_code == EXPIRED:
                return unhealthy("the certificate has expired")
            raise
        certificate: Any = connection.extra(TLSAttribute.peer_certificate)
        await anyio.aclose_forcefully(connection)
        ends = ssl.cert_time_to_seconds(certificate["notAfter"])
        days = (ends - time.time()) / DAY
        data = {"expires_in": (round(days, 1), "days")}
        if days < warn_days:
            on = time.strftime("%Y-%m-%d", time.gmtime(ends))
            return degraded(f"the certificate expires in {max(int(days), 0)} days, on {on}", data=data)
        return healthy(data=data)

    return shake_hands
