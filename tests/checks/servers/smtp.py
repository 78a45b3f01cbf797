"""A mail server, aiosmtpd's, in a process of its own."""

import re
import sys
from pathlib import Path

import trustme

from ..daemon import Daemon
from ..port import HOST, accepts, connected
from .server import PASSWORD, PROGRAMS, USER, Server

AUTHORITY = trustme.CA()


class Smtp(Server):
    name = "smtp"

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        certificate = folder / "certificate.pem"
        AUTHORITY.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(str(certificate))
        self._log = folder / "log"
        command = [sys.executable, "-P", str(PROGRAMS / "smtp_server.py"), str(port), USER, PASSWORD, str(certificate)]
        self.daemon = Daemon("aiosmtpd", command, self._log)

    def ready(self) -> bool:
        return accepts(self.port)

    def connections(self) -> int:
        return connected(self.port)

    def commands(self) -> list[str]:
        """Return the commands that it has got, without what stands behind them."""
        return re.findall(r">> b'(\w+)", self._log.read_text())


class SmtpOverTls(Smtp):
    """The same with implicit TLS."""

    name = "smtp over tls"

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        self.daemon.command.append("tls")
