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

from ..servers.process import wait_until
from .backend import Address

NEEDED = "haproxy"  # Debian's package has the same name
# Where Debian puts it, and where nobody but root looks.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
INTERVAL = 0.05  # seconds between two checks of a backend: what HAProxy needs at least to notice

# Every line that could hide a lost request is off, so that each one reaches a client, where it is counted.
CONFIG = """\
global
    # One thread: the machine is for the servers. The socket tells how HAProxy sees its backends.
    nbthread 1
    stats socket {stats} mode 600 level operator
    # Whatever went wrong, and nothing else, with HAProxy's own word for what it was.
    log stdout format raw local0

defaults
    mode http
    log global
    option httplog
    option dontlog-normal
    # A request that meets a backend which refuses it or hangs up has failed: it is not sent again, nor to the other.
    retries 0
    no option redispatch
    # Clients and backends keep their connections; a request may travel on a connection that another one has left.
    # That is HAProxy's default, and the harder case: an idle connection that a stopping server closes can take a
    # request with it.
    option http-keep-alive
    http-reuse safe
    # Far above what anything here takes, but for those who connect to a socket that nobody will ever accept from.
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    # A busy machine may be slow to answer a check; only an answer that says so takes a backend out.
    timeout check 5s

frontend clients
    # A socket that is listening already: no port is lost between choosing and binding it.
    bind fd@{listener}
    default_backend app

backend app
    balance roundrobin
    # OPTIONS /health/ready HTTP/1.0 without a Host; 200 is up, and so no 2xx or 3xx of anybody else.
    option httpchk /health/ready
    http-check expect status 200
    # Down at the first 503 and up at the first 200: the drain has to be only as long as this takes.
    default-server check inter {interval} fall 1 rise 1
    # Each second it gives up half of the connections that it does not need, and not every five: servers close theirs
    # after two (gunicorn) to five (uvicorn), and a request must not be on its way in that very moment.
    default-server pool-purge-delay 1s
{servers}
"""


@dataclass(frozen=True)
class View:
    """How HAProxy sees a backend."""

    up: bool
    check: str  # how its last check ended: "L7OK", "L7STS" for another status than 200, "L4CON" for a refusal
    served: int
    retried: int  # requests that were sent again, to the same backend or to the other


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
        # The star says that the next check is under way already.
        return View(
            up=row["status"].startswith("UP"),
            check=row["check_status"].removeprefix("* "),
            served=int(row["hrsp_2xx"]),
            retried=int(row["wretr"]) + int(row["wredis"]),
        )

    def drains(self, number: int) -> int:
        """How often it was taken out because its readiness said 503, and not because it was gone."""
        return self.log.count(f"Server app/s{number} is DOWN, reason: Layer7 wrong status, code: 503")

    @property
    def log(self) -> str:
        """What `CONFIG` has it log; its terminal, where it says much of this again, is in `complaints`."""
        return (self.folder / "log").read_text()


def missing() -> str | None:
    """Say what to install, where HAProxy is not."""
    return None if _program() else f"{NEEDED} not found; on Debian: apt-get install {NEEDED}"


def _program() -> str | None:
    return shutil.which(NEEDED, path=PATH)


@contextmanager
def balancing(backends: Sequence[Address], folder: Path) -> Iterator[Balancer]:
    """HAProxy in front of these backends, which it calls s0, s1 and so on; it is gone after the block."""
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
