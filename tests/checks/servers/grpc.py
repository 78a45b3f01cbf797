"""A real server of gRPC with the standard health service."""

import sys
from importlib.util import find_spec
from pathlib import Path

from ..daemon import Daemon
from ..port import accepts, established
from .server import PROGRAMS, Missing, Server


class Grpc(Server):
    name = "grpc"

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        for module, wheel in (("grpc_health", "grpcio-health-checking"), ("temporalio", "temporalio")):
            if find_spec(module) is None:
                raise Missing(f"pip install {wheel}")
        program = PROGRAMS / "grpc_health.py"
        self.daemon = Daemon("grpc", [sys.executable, "-P", str(program), str(port)], folder / "log")

    def ready(self) -> bool:
        return accepts(self.port)

    def connections(self) -> int:
        return established(self.port)
