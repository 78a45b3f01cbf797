"""memcached, as the system brings it."""

import shutil
import socket
from pathlib import Path

from ..daemon import Daemon, unprivileged
from ..port import HOST
from .server import Missing, Server


class Memcached(Server):
    name = "memcached"

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        binary = shutil.which("memcached")
        if binary is None:
            raise Missing("apt install memcached")
        command = [binary, "-l", HOST, "-p", str(port), "-U", "0", "-t", "1", "-m", "8"]
        self.daemon = Daemon("memcached", command, folder / "log", as_user=unprivileged(folder))

    def ready(self) -> bool:
        try:
            return "version" in self.counters()
        except OSError:
            return False

    def connections(self) -> int:
        counters = self.counters()
        # It includes the listening socket, and the one that asks.
        return counters["curr_connections"] - 2

    def counters(self) -> dict[str, int]:
        with socket.create_connection((HOST, self.port), timeout=5) as line, line.makefile("rb") as answers:
            line.sendall(b"stats\r\n")
            words = [words for answer in iter(answers.readline, b"END\r\n") if len(words := answer.split()) == 3]
        return {name.decode(): int(value) if value.isdigit() else 0 for _, name, value in words}
