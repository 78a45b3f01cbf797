"""docs/how-to/quiet-logs.md: each server and proxy, run as the page says, logs no good probe and every bad one."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from ..checks.port import accepts, reserved_port
from ..cli.manifest import tool
from ..cli.test_manifest_platforms import envoy
from ..servers.wire import ask
from ..support.waiting import wait_until
from .blocks import BLOCKS, DOCS, ROOT, Block

pytestmark = pytest.mark.processes

PAGE = "how-to/quiet-logs.md"
LINES = (DOCS / "how-to/quiet-logs.md").read_text().splitlines()
PORT = {
    "uvicorn": ("--port", "{port}"),
    "gunicorn": ("--bind", "127.0.0.1:{port}", "--no-control-socket"),
    "granian": ("--host", "127.0.0.1", "--port", "{port}"),
    "hypercorn": ("--bind", "127.0.0.1:{port}"),
    "daphne": ("--port", "{port}"),
}
BEFORE = """
from asgi_health import Health, HealthMiddleware
from docs.examples.logging_app import app, checks

health = Health(checks)
"""
LINE = re.compile(r'"GET (/[^ "]*)[^"]*" (\d{3})')


def section_of(block: Block) -> str:
    """Return the heading above a block."""
    return next(line[3:] for line in reversed(LINES[: block.line]) if line.startswith("## "))


def block(section: str, language: str) -> str:
    """Return the first block of a section in a language."""
    found = [
        each.text
        for each in BLOCKS
        if (each.page, each.language) == (PAGE, language)
        and each.line > LINES.index("## uvicorn")
        and section_of(each) == section
    ]
    return found[0] if found else ""


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[Callable[[], str]]:
    """Run a command until the port is open, and yield what returns its output; end it after the block."""
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": f"{folder}:{ROOT}", "PYTHONUNBUFFERED": "1", "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def is_open() -> bool:
        assert process.poll() is None, log.read_text()
        return accepts(port)

    try:
        wait_until(is_open, lambda: f"{command[0]} listens\n{log.read_text()}")
        yield log.read_text
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("server", PORT)
def test_a_server_logs_no_good_probe_and_each_bad_one(server: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(BEFORE + (block(server, "python") or block("uvicorn", "python")))
    with reserved_port() as port:
        (command,) = re.findall(r"^\$ (.*)$", block(server, "console"), re.MULTILINE)
        words = [*shlex.split(command), *(each.format(port=port) for each in PORT[server])]
        with running([sys.executable, "-m", *words], port, tmp_path) as log:
            address = ("127.0.0.1", port)

            def status(path: str) -> int:
                return ask(address, "GET", path).status

            wait_until(lambda: status("/readyz") == 200, log)
            assert [status("/livez") for _ in range(3)] == [200] * 3
            (tmp_path / "broken").touch()
            wait_until(lambda: status("/readyz") == 503, log)
            assert status("/orders") == 200
            if server == "daphne":  # turned off; it would have logged /livez before it answered /orders
                assert LINE.findall(log()) == []
                return
            wait_until(lambda: ("/orders", "200") in LINE.findall(log()), log)
            found = LINE.findall(log())
            assert ("/readyz", "503") in found
            assert ("/livez", "200") not in found
            assert found.count(("/readyz", "200")) <= found.count(("/readyz", "503"))


class Upstream(BaseHTTPRequestHandler):
    """An app that is not ready."""

    def do_GET(self) -> None:
        self.send_response(503 if self.path.startswith("/readyz") else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def nginx(text: str, folder: Path, port: int, upstream: int) -> list[str]:
    shown = text.replace("/var/log/nginx/access.log", "/dev/stdout")
    assert shown != text
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}}\nhttp {{\n{shown}\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{upstream}; }} }} }}"
    )
    return [tool("nginx", "apt-get install nginx-light"), "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]


def haproxy(text: str, folder: Path, port: int, upstream: int) -> list[str]:
    (folder / "haproxy.cfg").write_text(
        "global\n log stdout format raw local0\ndefaults\n mode http\n log global\n option httplog\n"
        f" timeout connect 9s\n timeout client 9s\n timeout server 9s\n"
        f"{text} bind 127.0.0.1:{port}\n default_backend app\n"
        f"backend app\n server one 127.0.0.1:{upstream}\n"
    )
    return [tool("haproxy", "apt-get install haproxy"), "-f", "haproxy.cfg"]


def caddy(text: str, folder: Path, port: int, upstream: int) -> list[str]:
    shown = text.replace(":8080", f":{port}").replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")
    (folder / "Caddyfile").write_text(f"{{\n admin off\n}}\n{shown}")
    return [tool("caddy", "apt-get install caddy"), "run", "--config", "Caddyfile"]


PROXIES: dict[str, Callable[[str, Path, int, int], list[str]]] = {"nginx": nginx, "HAProxy": haproxy, "Caddy": caddy}


@pytest.mark.parametrize("proxy", PROXIES)
def test_a_proxy_logs_no_good_probe(proxy: str, tmp_path: Path) -> None:
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    Thread(target=upstream.serve_forever, daemon=True).start()
    try:
        with reserved_port() as port:
            command = PROXIES[proxy](block(proxy, "text"), tmp_path, port, upstream.server_port)
            with running(command, port, tmp_path) as log:
                for path in ("/livez", "/health", "/health/ready", "/readyz", "/healthy", "/orders"):
                    ask(("127.0.0.1", port), "GET", path)
                wait_until(lambda: "/orders" in log(), log)
                found = set(re.findall(r'"GET (/\w*)|"uri":\s*"(/\w*)"', log()))
                bad = set() if proxy == "Caddy" else {"/readyz"}
                assert {a or b for a, b in found} == {"/orders", "/healthy"} | bad, log()
    finally:
        upstream.shutdown()
        upstream.server_close()


TYPES = "type.googleapis.com/envoy.extensions.filters"


def test_envoy_accepts_the_filter(tmp_path: Path) -> None:
    manager = {
        "@type": f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "app",
        "route_config": {"virtual_hosts": [{"name": "app", "domains": ["*"]}]},
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"{TYPES}.http.router.v3.Router"},
            }
        ],
        **yaml.safe_load(block("Envoy", "yaml")),
    }
    listener = {
        "name": "app",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 8080}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    envoy(yaml.safe_dump({"static_resources": {"listeners": [listener]}}), tmp_path)
