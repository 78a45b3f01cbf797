"""The site, built once, and a server of its files."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.page.conftest import browser, window

__all__ = ["browser", "window"]

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
ENVIRONMENT = {
    **os.environ,
    "NO_MKDOCS_2_WARNING": "1",  # a banner about the future of Material
    "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",  # mike starts mkdocs
}


def run(*command: str, folder: Path = ROOT) -> str:
    """Return what a command of this environment prints; fail where its exit code is not 0."""
    program = PROGRAMS / command[0]
    done = subprocess.run(
        [program, *command[1:]], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site."""
    folder = tmp_path_factory.mktemp("site")
    run("mkdocs", "build", "--strict", "--site-dir", str(folder))
    return folder


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="session")
def url(site: Path) -> Iterator[str]:
    """Return the address at which the site is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join(10.0)
