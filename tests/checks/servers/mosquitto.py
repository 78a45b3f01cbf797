"""Mosquitto, from the system's packages."""

import shutil
import subprocess
from pathlib import Path

from ..daemon import Daemon, unprivileged
from ..port import HOST, accepts, connected
from .server import PASSWORD, USER, Missing, Server

WEAK = "weak"
"""A user who may connect, and may use no topic."""


class Mosquitto(Server):
    name = "mosquitto"

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        program = shutil.which("mosquitto", path="/usr/sbin") or shutil.which("mosquitto")
        if program is None:
            raise Missing("apt install mosquitto")
        as_user = unprivileged(folder)
        passwords = folder / "passwords"
        passwords.touch(0o600)
        for user in (USER, WEAK):
            subprocess.run(["mosquitto_passwd", "-b", str(passwords), user, PASSWORD], check=True, capture_output=True)
        allowed = folder / "allowed"
        allowed.write_text(f"user {USER}\ntopic readwrite #\n")
        if as_user:
            shutil.chown(passwords, "nobody")  # codespell:ignore nobody
        config = folder / "mosquitto.conf"
        config.write_text(
            f"listener {port} {HOST}\npersistence false\nallow_anonymous false\n"
            f"password_file {passwords}\nacl_file {allowed}\n"
        )
        self.daemon = Daemon("mosquitto", [program, "-c", str(config)], folder / "log", as_user=as_user)

    def ready(self) -> bool:
        return accepts(self.port)

    def connections(self) -> int:
        return connected(self.port)  # its own count is refreshed too seldom
