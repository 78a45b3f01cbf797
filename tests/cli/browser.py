"""Drive a headless Chromium with its chromedriver over the WebDriver protocol of the W3C."""

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
PACKAGES = "chromium chromium-driver"  # the names in Debian
DRIVER_STARTS = 5
COMMAND_TIMEOUT = 30.0  # seconds for one command; the first one starts the browser


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
        """Click as a user does. Fails if the element is hidden or covered."""
        found = self._command("element", using="css selector", value=selector)
        (element,) = found.values()
        self._command(f"element/{element}/click")

    def prefer(self, scheme: str) -> None:
        """Prefer the "light" or the "dark" colours of a page."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._command("goog/cdp/execute", cmd="Emulation.setEmulatedMedia", params={"features": features})

    def set_timezone(self, name: str) -> None:
        """Set the time zone of the reader; an empty name resets it."""
        self._command("goog/cdp/execute", cmd="Emulation.setTimezoneOverride", params={"timezoneId": name})

    def resize(self, width: int, height: int) -> None:
        """Set the screen size in CSS pixels; a narrow screen is a phone. 0 and 0 reset it."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 0, "mobile": 0 < width < 600}
        self._command("goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=screen)

    def console_errors(self) -> list[str]:
        """Return the new entries of the console, without those for failed requests."""
        entries = self._command("se/log", type="browser")
        return [entry["message"] for entry in entries if entry["source"] != "network"]

    def _command(self, name: str, **parameters: object) -> Any:
        answer = self.session.post(name, json=parameters).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(f"{name} {parameters}: {answer['error']}: {answer['message']}")
        return answer


def missing() -> list[str]:
    """Return the programs that are not installed."""
    return [name for name in NEEDED if shutil.which(name) is None]


@contextmanager
def open_browser(folder: Path) -> Iterator[Browser]:
    """Open a window of a browser that keeps its files in `folder`; close it after the block."""
    with _driver(folder) as address, httpx.Client(base_url=address, timeout=COMMAND_TIMEOUT) as client:
        answer = client.post("session", json={"capabilities": {"alwaysMatch": _capabilities(folder)}}).json()["value"]
        assert "sessionId" in answer, answer
        session = f"{address}/session/{answer['sessionId']}"
        with httpx.Client(base_url=session, timeout=COMMAND_TIMEOUT) as window:
            try:
                yield Browser(window)
            finally:
                client.delete(session).raise_for_status()


@contextmanager
def _driver(folder: Path) -> Iterator[str]:
    # It binds a free port of IPv4 first, and then the same one of IPv6, which another process may have by then.
    output = ""
    for _ in range(DRIVER_STARTS):
        driver = subprocess.Popen(
            ["chromedriver", "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"HOME": str(folder)},
            start_new_session=True,
        )
        assert driver.stdout is not None
        try:
            for line in driver.stdout:
                output += line
                if found := re.search(r"successfully on port (\d+)", line):
                    yield f"http://127.0.0.1:{found[1]}"
                    return
        finally:
            try:
                os.killpg(driver.pid, signal.SIGKILL)  # kills the browser too if it has not closed
            except ProcessLookupError:  # it has ended by itself
                pass
            driver.stdout.close()
            driver.wait()
    raise AssertionError(f"chromedriver did not start\n{output}")


def _capabilities(folder: Path) -> dict[str, object]:
    arguments = [
        "--headless=new",
        "--disable-dev-shm-usage",
        "--window-size=1280,1400",
        f"--user-data-dir={folder}/profile",
    ]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium refuses its sandbox to root, the user in many containers
    return {
        "browserName": "chrome",
        "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": arguments},
        "goog:loggingPrefs": {"browser": "ALL"},
    }
