"""A mail server, aiosmtpd, for one user, with STARTTLS and without: python smtp_server.py PORT USER PASSWORD CERT [tls]

CERT is a file with a key and its certificate. With "tls", each connection begins with a handshake (implicit TLS). The
commands that the server gets are on its standard error.
"""

import asyncio
import logging
import ssl
import sys

from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


async def main(port: str, user: str, password: str, cert: str, tls: str = "") -> None:
    login = LoginPassword(user.encode(), password.encode())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert)

    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        return AuthResult(success=data == login, handled=False)

    def connection() -> SMTP:
        return SMTP(
            Sink(),
            hostname="mail.test",
            tls_context=None if tls else context,
            authenticator=authenticate,
            auth_required=True,
            auth_require_tls=False,
        )

    server = await asyncio.get_running_loop().create_server(
        connection, "127.0.0.1", int(port), ssl=context if tls else None
    )
    await server.serve_forever()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asyncio.run(main(*sys.argv[1:]))
