"""The page in Firefox: its style and its script run under its policy, and a change is shown."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from asgi_health import unhealthy

from ..support.waiting import wait_until
from .firefox import PACKAGE, Firefox, open_firefox
from .site import Shop, served


@pytest.fixture
def firefox(tmp_path: Path) -> Iterator[Firefox]:
    if shutil.which("firefox-esr") is None and shutil.which("firefox") is None:
        reason = f"firefox not found; on Debian: apt-get install {PACKAGE}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with open_firefox(tmp_path / "profile") as opened:
        yield opened


def test_firefox_shows_the_page_and_a_change(firefox: Firefox) -> None:
    shop = Shop("cache", "database")
    with served(shop.make()) as port:
        firefox.open(f"http://127.0.0.1:{port}/health")
        wait_until(lambda: firefox.run("return document.querySelector('#live').dataset.state") == "live", "it is live")
        assert firefox.run("return getComputedStyle(document.querySelector('.probes')).display") == "grid"
        assert firefox.run("return document.documentElement.scrollWidth <= innerWidth") is True
        shop.results["database"] = unhealthy("ConnectionRefusedError: Connection refused")
        verdict = "return document.querySelector('#verdict').textContent"
        wait_until(lambda: "database refuses connections" in firefox.run(verdict), lambda: str(firefox.run(verdict)))
        assert firefox.run("return document.querySelector('.check').id") == "check-database"
        firefox.open("about:blank")  # closes the stream, so that the server does not wait for it
