"""Kafka, by a stand-in that speaks the part of its protocol that the check needs: no package brings the real one."""

import sys
from pathlib import Path

from ..daemon import Daemon
from ..port import accepts, connected
from .server import PASSWORD, PROGRAMS, USER, Server


class Kafka(Server):
    name = "kafka"

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        command = [sys.executable, str(PROGRAMS / "kafka_broker.py"), str(port), USER, PASSWORD]
        self.daemon = Daemon("kafka", command, folder / "log")

    def ready(self) -> bool:
        return accepts(self.port)

    def connections(self) -> int:
        return connected(self.port)
