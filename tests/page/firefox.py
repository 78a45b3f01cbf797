"""A real Firefox, driven by its own protocol, Marionette: Playwright drives only a Firefox that it has patched."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..support.waiting import wait_until

PACKAGE = "firefox-esr"  # the name in Debian

PREFERENCES = """
user_pref("marionette.port", 0);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage", "about:blank");
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
"""


class Firefox:
    """One window, and the connection to its Marionette."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._number = 0
        self._read()  # what the server is
        self.command("WebDriver:NewSession", capabilities={})

    def command(self, name: str, **parameters: object) -> Any:
        """Run a command and return its result."""
        self._number += 1
        data = json.dumps([0, self._number, name, parameters]).encode()
        self._connection.sendall(b"%d:%s" % (len(data), data))
        _, _, error, result = self._read()
        assert error is None, f"{name}: {error}"
        return result

    def open(self, url: str) -> None:
        """Open an address and return when the page is loaded."""
        self.command("WebDriver:Navigate", url=url)

    def run(self, script: str) -> Any:
        """Run JavaScript in the page, outside of its content security policy, and return what it returns."""
        return self.command("WebDriver:ExecuteScript", script=script, args=[])["value"]

    def _read(self) -> Any:
        digits = b""
        while (byte := self._connection.recv(1)) != b":":
            assert byte, "Firefox has closed the connection"
            digits += byte
        data = b""
        while len(data) < int(digits):
            data += self._connection.recv(int(digits) - len(data))
        return json.loads(data)


@contextmanager
def open_firefox(profile: Path) -> Iterator[Firefox]:
    """Open a window with a new profile in the folder `profile`; end the browser after the block."""
    profile.mkdir()
    (profile / "user.js").write_text(PREFERENCES)
    program = shutil.which("firefox-esr") or "firefox"
    command = [program, "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
    with (profile / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={"HOME": str(profile), "PATH": "/usr/bin:/bin"})
    try:
        # It writes the port that it has chosen there.
        port = profile / "MarionetteActivePort"
        wait_until(lambda: port.exists() and port.read_text() != "", (profile / "log").read_text, 60.0)
        with socket.create_connection(("127.0.0.1", int(port.read_text())), timeout=30.0) as connection:
            yield Firefox(connection)
    finally:
        process.kill()
        process.wait()
