"""MongoDB, by a stand-in that speaks the part of its protocol that a client needs: no package brings the real one."""

import socket
import struct
import sys
from pathlib import Path
from typing import Any

import bson

from ..daemon import Daemon
from ..port import HOST
from .programs.mongo_protocol import OP_MSG
from .server import DATABASE, PROGRAMS, Server


class MongoDB(Server):
    name = "mongodb"

    def __init__(self, folder: Path, port: int, replica_set: str = "") -> None:
        """Prepare a standalone server, or the sole member of a replica set without a primary."""
        super().__init__(folder, port)
        program = PROGRAMS / "mongo_protocol.py"
        self.daemon = Daemon(
            "mongodb", [sys.executable, "-P", str(program), str(port), DATABASE, replica_set], folder / "log"
        )

    def ready(self) -> bool:
        try:
            return bool(self.status()["ok"])
        except OSError:
            return False

    def connections(self) -> int:
        return int(self.status()["connections"]["current"]) - 1

    def pings(self) -> int:
        """How many it has answered."""
        return int(self.status()["pings"])

    def status(self) -> dict[str, Any]:
        document = bson.encode({"serverStatus": 1, "$db": "admin"})
        with socket.create_connection((HOST, self.port), timeout=5) as line:
            line.sendall(struct.pack("<iiiiiB", 21 + len(document), 1, 0, OP_MSG, 0, 0) + document)
            with line.makefile("rb") as answers:
                length = struct.unpack("<i", answers.read(4))[0]
                return bson.decode(answers.read(length - 4)[17:])
