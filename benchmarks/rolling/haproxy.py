"""A real HAProxy in front of two backends."""

import csv
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import wait_until

from .backend import Address

NEEDED = "haproxy"  # Debian's package has the same name
# Debian installs it into a folder that only the PATH of root has.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
INTERVAL = 0.05  # seconds between two checks of a backend: what HAProxy needs at least to notice

# Every option that could hide a lost request is off, so that each one reaches a client, which counts it.
CONFIG = """\
global
    # One thread: the processors are for the servers. The socket reports the state of the backends.
    nbthread 1
    stats socket {stats} mode 600 level operator
    # Failures only, with HAProxy's own code for each.
    log stdout format raw local0

defaults
    mode http
    log global
    option httplog
    option dontlog-normal
    # A request fails when its backend refuses or closes the connection: HAProxy sends it to no backend again.
    retries 0
    no option redispatch
    # Clients and backends keep their connections, and a request may reuse a connection to a backend. That is
    # HAProxy's default, and the harder case: a stopping server that closes an idle connection can lose a request.
    option http-keep-alive
    http-reuse safe
    # Far above what any request here takes. `connect` limits the wait at a socket whose server no longer accepts.
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    # A check may be slow on a busy machine; only its answer takes a backend out.
    timeout check 5s

frontend clients
    # A socket that listens already: no other process can take the port between its choice and the bind.
    bind fd@{listener}
    default_backend app

backend app
    balance roundrobin
    # OPTIONS /health/ready HTTP/1.0 without a Host. Only 200 is up, no other 2xx or 3xx.
    option httpchk /health/ready
    http-check expect status 200
    # Down at the first 503 and up at the first 200: the drain needs to last no longer than that.
    default-server check inter {interval} fall 1 rise 1
    # Close half of the idle connections each second, not every five: servers close them after two (gunicorn) to five
    # seconds (uvicorn), and no request may be on its way at that moment.
    default-server pool-purge-delay 1s
{servers}
"""


@dataclass(frozen=True)
class View:
    """The state of a backend as HAProxy reports it."""

    up: bool
    check: str
    """How its last check ended: "L7OK", "L7STS" for another status than 200, "L4CON" for a refused connection."""
    served: int
    retried: int
    """Requests that were sent again, to the same backend or to the other."""


@dataclass(frozen=True)
class Balancer:
    process: subprocess.Popen[bytes]
    address: Address
    folder: Path

    def see(self, number: int) -> View:
        with socket.socket(socket.AF_UNIX) as stats:
            stats.settimeout(10.0)
            stats.connect(str(self.folder / "stats"))
            stats.sendall(b"show stat\n")
            text = b"".join(iter(lambda: stats.recv(65536), b"")).decode().removeprefix("# ")
        (row,) = (row for row in csv.DictReader(text.splitlines()) if row["svname"] == f"s{number}")
        # The star means that the next check has begun.
        return View(
            up=row["status"].startswith("UP"),
            check=row["check_status"].removeprefix("* "),
            served=int(row["hrsp_2xx"]),
            retried=int(row["wretr"]) + int(row["wredis"]),
        )

    def drains(self, number: int) -> int:
        """Return how often HAProxy took it out because its readiness answered 503."""
        return self.log.count(f"Server app/s{number} is DOWN, reason: Layer7 wrong status, code: 503")

    @property
    def log(self) -> str:
        """The log that CONFIG asks for. The file `complaints` has its stderr, which repeats much of this."""
        return (self.folder / "log").read_text()


def missing() -> str | None:
    """Return what to install where HAProxy is missing, None where it is installed."""
    return None if _program() else f"{NEEDED} not found; on Debian: apt-get install {NEEDED}"


def _program() -> str | None:
    return shutil.which(NEEDED, path=PATH)


@contextmanager
def balancing(backends: Sequence[Address], folder: Path) -> Iterator[Balancer]:
    """Run HAProxy in front of these backends, named s0, s1 and so on. It has ended after the block."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        config = folder / "haproxy.cfg"
        config.write_text(_config(backends, folder, listener.fileno()))
        with (folder / "log").open("wb") as log, (folder / "complaints").open("wb") as complaints:
            process = subprocess.Popen(
                [_program() or NEEDED, "-db", "-f", str(config)],  # -db: in the foreground
                env=os.environ | {"HOME": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=complaints,
                pass_fds=(listener.fileno(),),
                start_new_session=True,
            )
        balancer = Balancer(process, listener.getsockname(), folder)
    try:
        _wait_for_boot(balancer)
        yield balancer
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def _config(backends: Sequence[Address], folder: Path, listener: int) -> str:
    servers = (f"    server s{number} {host}:{port}" for number, (host, port) in enumerate(backends))
    return CONFIG.format(
        stats=folder / "stats", listener=listener, interval=f"{INTERVAL * 1000:.0f}ms", servers="\n".join(servers)
    )


def _wait_for_boot(balancer: Balancer) -> None:
    def answers() -> bool:
        assert balancer.process.poll() is None, f"haproxy ended\n{(balancer.folder / 'complaints').read_text()}"
        try:
            balancer.see(0)
        except OSError:
            return False
        return True

    wait_until(answers, "haproxy answers")
