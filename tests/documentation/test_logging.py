"""docs/how-to/quiet-logs.md and logs.md show the access log that uvicorn writes with each of their examples."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ..servers.wire import ask
from ..support.waiting import wait_until
from .blocks import ROOT, blocks

PROGRAMS = ("logging_app", "logging_structlog", "logging_loguru")
SHOWN = [text for page in ("quiet-logs", "logs") for text in blocks("text", f"how-to/{page}.md") if "HTTP" in text]
PORT = re.compile(r"127\.0\.0\.1:\d+")
ACCESS = re.compile(r'"[A-Z]+ /[^ ]* HTTP')


def access_lines(text: str) -> list[str]:
    """Return the different lines of the access log, with one port for all."""
    lines = (line for line in text.splitlines() if ACCESS.search(line))
    # Different ones: the test asks until the check has failed or passed.
    return list(dict.fromkeys(PORT.sub("127.0.0.1:50086", line) for line in lines))


def printed(program: str, folder: Path) -> str:
    """Serve the program under uvicorn while its database fails and recovers, and return what the server has printed."""
    broken, log = folder / "broken", folder / "log"
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
        address = listener.getsockname()
        app = f"docs.examples.{program}:quiet_app"
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", app, "--fd", str(listener.fileno()), "--no-use-colors"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(listener.fileno(),),
        )

    def readiness() -> int:
        try:
            return ask(address, "GET", "/readyz").status
        except TimeoutError:  # the port is open before the server accepts
            return 0

    def ready(expected: int) -> None:
        wait_until(lambda: readiness() == expected, log.read_text)

    try:
        ready(200)
        assert ask(address, "GET", "/readyz").status == 200
        assert ask(address, "GET", "/orders").status == 200
        broken.touch()
        ready(503)
        broken.unlink()
        ready(200)
        assert ask(address, "GET", "/readyz").status == 200
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    finally:
        process.kill()
        process.wait()
    return log.read_text()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("number", "program"), [*enumerate(PROGRAMS)])
def test_the_page_shows_what_a_quiet_server_prints(number: int, program: str, tmp_path: Path) -> None:
    log = printed(program, tmp_path)
    assert access_lines(log) == access_lines(SHOWN[number]) != [], log
    assert SHOWN[number].splitlines() == access_lines(SHOWN[number])


@pytest.mark.processes
def test_the_records_have_the_fields_that_the_page_shows() -> None:
    (shown,) = blocks("json", "how-to/logs.md")
    program = ROOT / "docs" / "examples" / "logging_json.py"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(program)], env=environment, capture_output=True, text=True, timeout=60.0, check=True
    )
    _, *lines = done.stdout.splitlines()  # the first one says that the checks run
    assert [without_seconds(line) for line in lines] == [without_seconds(line) for line in shown.splitlines()]


def without_seconds(line: str) -> str:
    return re.sub(r"\d+\.\d+|\d+ failed", "n", line)
