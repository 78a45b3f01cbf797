"""One server process on a port that stays its own from one restart to the next."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..servers.apps import VARIABLE, Folder
from ..servers.process import ROOT, Running
from ..servers.servers import Server
from .app import Settings

Address = tuple[str, int]


@contextmanager
def held_port() -> Iterator[Address]:
    """A port of 127.0.0.1 that servers can bind one after the other, and that nobody else is given in between.

    A socket that is bound and does not listen keeps it: whoever asks for any free port, or connects from one, gets
    another, while a server that names it may bind it too. That takes SO_REUSEADDR on both sides, which every server
    sets for its own restarts. Connections are refused while no server listens, as on any host.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()


@contextmanager
def launched(server: Server, address: Address, settings: Settings) -> Iterator[Running]:
    """A server that was started, but may not answer yet. Whatever happens, none of its processes survives the block."""
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
