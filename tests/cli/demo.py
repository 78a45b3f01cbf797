"""Run the demo in a process of its own."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any

import httpx

from ..support.waiting import wait_until
from .command import interruptible

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 30.0  # seconds in which it must print where it is
EXIT_TIMEOUT = 10.0  # seconds in which it must exit after a signal
LAST_LINE = "Press Ctrl-C to stop it.\n"

CHANGE = re.compile(r'<li class="(\w+)" id="change-(\d+)"><time datetime="([^"]+)".*?<span>(.*?)</span></li>')
BROKEN = re.compile(r'<li class="fault fail" id="fault-([^"]+)">')
FAULT = re.compile(r'<li class="fault[^"]*" id="fault-([^"]+)">')

PROGRAM = "from asgi_health.cli.main import main; raise SystemExit(main())"


@dataclass(frozen=True)
class Change:
    """A line of the page about what has happened."""

    number: int
    time: datetime
    text: str
    tone: str


@dataclass(frozen=True)
class Demo:
    """A demo that is starting, running, or has ended."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text()

    @property
    def left_behind(self) -> list[Path]:
        """The temporary files of the demo."""
        return list((self.folder / "tmp").iterdir())

    @property
    def unexpected_errors(self) -> list[str]:
        """The lines on stderr that are not log lines of asgi-health."""
        return [line for line in self.err.splitlines() if " asgi_health: " not in line]

    @property
    def url(self) -> str:
        found = re.search(r"http://127\.0\.0\.1:\d+", self.out)
        assert found, self.out
        return found[0]

    def request(self, target: str, method: str = "GET", timeout: float = 10.0) -> httpx.Response:
        """Send one request on a new connection."""
        return httpx.request(method, f"{self.url}{target}", timeout=timeout)

    def status(self, target: str) -> int:
        return self.request(target).status_code

    @property
    def silent(self) -> bool:
        """Whether it does not answer."""
        try:
            self.request("/livez", timeout=0.5)
        except httpx.ReadTimeout:
            return True
        return False

    def status_word(self, target: str) -> str:
        """Return the status in the body of the answer."""
        word: str = self.request(target).json()["status"]
        return word

    def check(self, name: str) -> dict[str, Any]:
        """Return the details of one check."""
        (entry,) = self.request("/health").json()["checks"][name]
        found: dict[str, Any] = entry
        return found

    def changes(self) -> list[Change]:
        """Return what has happened, the oldest first."""
        found = CHANGE.findall(self.request("/panel").text)[::-1]
        return [
            Change(int(number), datetime.fromisoformat(time), unescape(text), tone)
            for tone, number, time, text in found
        ]

    def faults(self) -> list[str]:
        """Return the names of the faults."""
        return FAULT.findall(self.request("/panel").text)

    def broken(self) -> list[str]:
        """Return the names of the faults that last."""
        return BROKEN.findall(self.request("/panel").text)

    def wait_for_status_word(self, target: str, word: str) -> None:
        wait_until(lambda: self.status_word(target) == word, f"{target} answers {word}\n{self.err}")

    def end(self, sig: signal.Signals) -> None:
        """Send a signal and wait until the demo has exited."""
        self.process.send_signal(sig)
        self.process.wait(EXIT_TIMEOUT)


@contextmanager
def starting_demo(prelude: str = "", port: int = 0) -> Iterator[Demo]:
    """Start a demo, which may not answer yet. `prelude` is code that runs first in its process."""
    with tempfile.TemporaryDirectory(prefix="asgi-health-") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err, interruptible():
            process = subprocess.Popen(
                [sys.executable, "-c", f"{prelude}\n{PROGRAM}", "demo", "--port", str(port)],
                cwd=ROOT,
                env=os.environ | {"TMPDIR": str(folder / "tmp"), "PYTHONWARNINGS": "always::ResourceWarning"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        try:
            yield Demo(folder, process)
        finally:
            process.kill()
            process.wait()


@contextmanager
def running_demo(prelude: str = "") -> Iterator[Demo]:
    """Start a demo and wait until it has printed where it is."""
    with starting_demo(prelude) as demo:
        wait_until_running(demo)
        yield demo


def wait_until_running(demo: Demo) -> None:
    def is_running() -> bool:
        assert demo.process.poll() is None, f"ended with {demo.process.returncode}\n{demo.err}"
        return demo.out.endswith(LAST_LINE)

    wait_until(is_running, f"the demo is running\n{demo.err}", START_TIMEOUT)


@contextmanager
def broken_and_repaired(demo: Demo, fault: str) -> Iterator[None]:
    """Break something for the block, and wait until the demo is ready again."""
    assert demo.status(f"/break/{fault}") == 200
    try:
        yield
    finally:
        assert demo.status(f"/repair/{fault}") == 200
        demo.wait_for_status_word("/readyz", "pass")
