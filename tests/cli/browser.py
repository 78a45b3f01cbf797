"""A headless Chromium, driven by its own chromedriver in the words of the W3C's WebDriver protocol."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

NEEDED = ("chromium", "chromedriver")
PACKAGES = "chromium chromium-driver"  # as Debian calls them
PATIENCE = 30.0  # seconds for the answer to one command; the first one starts the browser


@dataclass(frozen=True)
class Browser:
    """One window."""

    session: httpx.Client

    def open(self, url: str) -> None:
        self._command("url", url=url)

    def run(self, script: str, *arguments: object) -> Any:
        """Run JavaScript in the page and return what it returns."""
        return self._command("execute/sync", script=script, args=arguments)

    def click(self, selector: str) -> None:
        """Click as a person does: refused for what is hidden, or covered by something else."""
        found = self._command("element", using="css selector", value=selector)
        (element,) = found.values()
        self._command(f"element/{element}/click")

    def prefer(self, scheme: str) -> None:
        """Ask pages for their "light" or "dark" colours."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._command("goog/cdp/execute", cmd="Emulation.setEmulatedMedia", params={"features": features})

    def resize(self, width: int, height: int) -> None:
        """Have a screen of that many CSS pixels, of a phone where it is narrow; 0 and 0: the window's own again."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 0, "mobile": 0 < width < 600}
        self._command("goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=screen)

    def complaints(self) -> list[str]:
        """What is in the console since the last look, but for the failed answers that it lists too."""
        entries = self._command("se/log", type="browser")
        return [entry["message"] for entry in entries if entry["source"] != "network"]

    def _command(self, name: str, **parameters: object) -> Any:
        answer = self.session.post(name, json=parameters).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(f"{name} {parameters}: {answer['error']}: {answer['message']}")
        return answer


def missing() -> list[str]:
    """What of the browser is not installed."""
    return [name for name in NEEDED if shutil.which(name) is None]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A window of a browser that keeps its files in `folder` and is gone after the block."""
    with _driver(folder) as address, httpx.Client(base_url=address, timeout=PATIENCE) as client:
        answer = client.post("session", json={"capabilities": {"alwaysMatch": _wishes(folder)}}).json()["value"]
        assert "sessionId" in answer, answer
        session = f"{address}/session/{answer['sessionId']}"
        with httpx.Client(base_url=session, timeout=PATIENCE) as window:
            try:
                yield Browser(window)
            finally:
                client.delete(session).raise_for_status()


@contextmanager
def _driver(folder: Path) -> Iterator[str]:
    driver = subprocess.Popen(
        ["chromedriver", "--port=0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"HOME": str(folder)},
        start_new_session=True,
    )
    assert driver.stdout is not None
    said = ""
    try:
        for line in driver.stdout:
            said += line
            if found := re.search(r"successfully on port (\d+)", line):
                yield f"http://127.0.0.1:{found[1]}"
                break
        else:
            raise AssertionError(f"chromedriver did not start\n{said}")
    finally:
        os.killpg(driver.pid, signal.SIGKILL)  # the browser too, should it not have closed
        driver.stdout.close()
        driver.wait()


def _wishes(folder: Path) -> dict[str, object]:
    arguments = [
        "--headless=new",
        "--disable-dev-shm-usage",
        "--window-size=1280,1400",
        f"--user-data-dir={folder}/profile",
    ]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # as root, as in many a container, there is none to be had
    return {
        "browserName": "chrome",
        "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": arguments},
        "goog:loggingPrefs": {"browser": "ALL"},
    }
