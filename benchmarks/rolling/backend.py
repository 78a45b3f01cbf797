"""One server process on a port that is reserved for it from one restart to the next."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tests.servers.apps import VARIABLE, Folder
from tests.servers.process import ROOT, Running
from tests.servers.servers import Server

Address = tuple[str, int]


class Settings(Protocol):
    """What one process serves."""

    def dump(self, folder: str) -> str:
        """Return it as an environment variable carries it, with the folder of the process."""
        ...


@contextmanager
def held_port() -> Iterator[Address]:
    """Reserve a port of 127.0.0.1 that servers can bind one after the other.

    A socket that is bound and does not listen reserves it: the system gives another port to every process that asks
    for a free one, but a server that names this port can bind it. That takes SO_REUSEADDR on both sides, which every
    server sets for its own restarts. Connections are refused while no server listens, as on any host.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()


@contextmanager
def launched(server: Server, address: Address, settings: Settings) -> Iterator[Running]:
    """Start a server, which may not answer yet. All its processes have ended after the block."""
    with tempfile.TemporaryDirectory(prefix="asgi-health-") as name:
        folder = Path(name)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                _command(server, address),
                cwd=ROOT,
                env=os.environ | {VARIABLE: settings.dump(name), "PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "0"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield Running(server, address, Folder(folder), process)
        finally:
            _kill(process)


def _command(server: Server, address: Address) -> list[str]:
    host, port = address
    return [sys.executable, "-m", *(part.format(host=host, port=port) for part in server.command)]


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
