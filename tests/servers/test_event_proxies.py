"""The events behind nginx and HAProxy with their defaults: each change comes at once, from the app and the listener."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..support.event_client import PATH
from ..support.stream_reader import reading
from ..support.waiting import wait_until
from .apps import TOKEN
from .process import Running, started
from .servers import UVICORN
from .wire import ask

pytestmark = pytest.mark.timeout(120)

AUTHORISED = (("authorization", f"Bearer {TOKEN}"),)
# Debian installs both into a folder that only the PATH of root has.
SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])

# What Debian's nginx.conf has, and `proxy_pass` alone. Two more servers compress the events, which is no default: there
# the header against buffering makes the difference, and the last of them ignores it.
NGINX = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 768; }}
http {{
    sendfile on;
    tcp_nopush on;
    gzip on;
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen unix:{folder}/app;
        location / {{ proxy_pass http://{host}:{port}; }}
    }}
    server {{
        listen unix:{folder}/compressed;
        gzip_types text/event-stream;
        location / {{ proxy_pass http://{host}:{port}; }}
    }}
    server {{
        listen unix:{folder}/buffered;
        gzip_types text/event-stream;
        location / {{ proxy_pass http://{host}:{port}; proxy_ignore_headers X-Accel-Buffering; }}
    }}
    server {{
        listen unix:{folder}/listener;
        location / {{ proxy_pass http://unix:{listener}:; }}
    }}
}}
"""

# The timeouts are those of Debian's haproxy.cfg.
HAPROXY = """\
defaults
    mode http
    timeout connect 5000
    timeout client 50000
    timeout server 50000

listen app
    bind {folder}/app
    server app {host}:{port}

listen listener
    bind {folder}/listener
    server listener unix@{listener}
"""


@dataclass(frozen=True)
class Proxy:
    """A proxy in front of an app and its listener, each at a unix socket in `folder`."""

    app: Running
    folder: Path


@pytest.fixture(scope="module")
def app() -> Iterator[Running]:
    with started(UVICORN, checks=("dependency",), listener={"address": "{folder}/listener"}) as running:
        running.wait_for_status("/readyz", 200)
        yield running


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def proxy(app: Running, request: pytest.FixtureRequest) -> Iterator[Proxy]:
    with tempfile.TemporaryDirectory(prefix="asgi-health-") as name, proxying(request.param, app, Path(name)) as found:
        yield found


@contextmanager
def proxying(name: str, app: Running, folder: Path) -> Iterator[Proxy]:
    program = shutil.which(name, path=SEARCH)
    if program is None:
        reason = f"{name} is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    assert isinstance(app.address, tuple)
    host, port = app.address
    text = NGINX if name == "nginx" else HAPROXY
    config = folder / "config"
    config.write_text(text.format(folder=folder, host=host, port=port, listener=app.folder.path / "listener"))
    command = [program, "-c", str(config), "-p", str(folder)] if name == "nginx" else [program, "-f", str(config)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        for each in ("app", "listener"):
            wait_until(lambda: answers(str(folder / each)), (folder / "log").read_text)  # noqa: B023  called at once
        yield Proxy(app, folder)
    finally:
        process.kill()
        process.wait()


def answers(address: str) -> bool:
    try:
        return ask(address, "GET", "/livez").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("upstream", ["app", "listener"])
def test_each_change_comes_at_once(proxy: Proxy, upstream: str) -> None:
    with reading(str(proxy.folder / upstream), AUTHORISED) as reader:
        reader.wait_for(b"event: updated")
        assert b"content-encoding" not in reader.head.lower()
        for _ in range(2):
            count = len(reader.events)
            proxy.app.folder.broken.touch()
            began = time.monotonic()
            reader.wait_for_event(lambda each: 'id="check-dependency" class="check fail"' in each.data, count)
            count = len(reader.events)
            proxy.app.folder.broken.unlink()
            reader.wait_for_event(lambda each: 'id="check-dependency" class="check pass"' in each.data, count)
            # Two runs of the check, and half a second between two states.
            assert time.monotonic() - began < 5.0


def test_a_client_that_leaves_the_proxy_leaves_the_app(proxy: Proxy) -> None:
    with reading(str(proxy.folder / "app"), AUTHORISED) as reader:
        reader.wait_for(b"event: updated")
    assert ask(str(proxy.folder / "app"), "HEAD", PATH, AUTHORISED).status == 200


def test_where_nginx_compresses_events_the_header_keeps_it_from_collecting_them(app: Running) -> None:
    headers = (*AUTHORISED, ("accept-encoding", "gzip"))
    with (
        tempfile.TemporaryDirectory(prefix="asgi-health-") as name,
        proxying("nginx", app, Path(name)) as proxy,
        reading(str(proxy.folder / "buffered"), headers) as buffered,
        reading(str(proxy.folder / "compressed"), headers) as compressed,
        reading(str(proxy.folder / "app"), headers) as direct,
    ):
        direct.wait_for(b"event: updated")
        wait_until(lambda: len(compressed.body) > 100, "a state has come")
        assert b"content-encoding: gzip" in compressed.head.lower()
        assert len(buffered.body) <= 10, "the control: without the header nginx collects the events"
