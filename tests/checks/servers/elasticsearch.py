"""Elasticsearch and OpenSearch, by a stand-in for their protocol: no package brings the real ones."""

import json
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from ..daemon import Daemon
from ..port import HOST
from .server import PROGRAMS, Server


class Elasticsearch(Server):
    name = "elasticsearch"

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        program = PROGRAMS / "elasticsearch_protocol.py"
        self.daemon = Daemon("elasticsearch", [sys.executable, "-P", str(program), str(port)], folder / "log")

    def ready(self) -> bool:
        try:
            return "asked" in self._counts()
        except (OSError, HTTPException):
            return False

    def connections(self) -> int:
        return self._counts()["connections"] - 1

    def asked(self) -> int:
        """How often it has answered about its health."""
        return self._counts()["asked"]

    def become(self, status: str) -> None:
        self._request("PUT", f"/-/status?to={status}")

    def _counts(self) -> dict[str, int]:
        return dict(json.loads(self._request("GET", "/-/counts")))

    def _request(self, method: str, path: str) -> bytes:
        line = HTTPConnection(HOST, self.port, timeout=5)
        try:
            line.request(method, path)
            return line.getresponse().read()
        finally:
            line.close()
