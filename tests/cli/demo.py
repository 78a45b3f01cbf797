"""The demo in a process of its own."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ..support.waiting import wait_until
from .command import interruptible

ROOT = Path(__file__).parents[2]
BOOT = 30.0  # seconds in which it must say where it is
EXIT = 10.0  # seconds in which it must be gone after a signal
LAST_LINE = "Ctrl-C closes it.\n"

RUN = "from asgi_health.cli.main import main; raise SystemExit(main())"


@dataclass(frozen=True)
class Demo:
    """One that is being started, is open, or has ended."""

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
        """What is in the folder that it takes for the one of temporary files."""
        return list((self.folder / "tmp").iterdir())

    @property
    def noise(self) -> list[str]:
        """What it wrote to its terminal besides its log."""
        return [line for line in self.err.splitlines() if " asgi_health: " not in line]

    @property
    def url(self) -> str:
        found = re.search(r"http://127\.0\.0\.1:\d+", self.out)
        assert found, self.out
        return found[0]

    def ask(self, target: str, method: str = "GET", patience: float = 10.0) -> httpx.Response:
        """One request on a connection of its own."""
        return httpx.request(method, f"{self.url}{target}", timeout=patience)

    def status(self, target: str) -> int:
        return self.ask(target).status_code

    @property
    def silent(self) -> bool:
        """Whether it gives no answer."""
        try:
            self.ask("/livez", patience=0.5)
        except httpx.ReadTimeout:
            return True
        return False

    def word(self, target: str) -> str:
        """The status as the body says it."""
        word: str = self.ask(target).json()["status"]
        return word

    def check(self, name: str) -> dict[str, Any]:
        """The details of one check."""
        (entry,) = self.ask("/health").json()["checks"][name]
        found: dict[str, Any] = entry
        return found

    def wait_for_word(self, target: str, word: str) -> None:
        wait_until(lambda: self.word(target) == word, f"{target} says {word}\n{self.err}")

    def end(self, sig: signal.Signals) -> None:
        """Send the signal and wait for the end."""
        self.process.send_signal(sig)
        self.process.wait(EXIT)


@contextmanager
def launched(prelude: str = "", port: int = 0) -> Iterator[Demo]:
    """A demo that was started, but may not be open yet; `prelude` runs in its process before anything else does."""
    with tempfile.TemporaryDirectory(prefix="asgi-health-") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err, interruptible():
            process = subprocess.Popen(
                [sys.executable, "-c", f"{prelude}\n{RUN}", "demo", "--port", str(port)],
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
def opened(prelude: str = "") -> Iterator[Demo]:
    """A demo that has said where it is."""
    with launched(prelude) as demo:
        wait_for_opening(demo)
        yield demo


def wait_for_opening(demo: Demo) -> None:
    def is_open() -> bool:
        assert demo.process.poll() is None, f"ended with {demo.process.returncode}\n{demo.err}"
        return demo.out.endswith(LAST_LINE)

    wait_until(is_open, f"the demo is open\n{demo.err}", BOOT)
