"""The browser of the tests of a module."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser

from .chromium import PACKAGE, Window, open_chromium, open_window


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if shutil.which("chromium") is None:
        reason = f"chromium not found; on Debian: apt-get install {PACKAGE}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with open_chromium() as opened:
        yield opened


@pytest.fixture
def window(browser: Browser) -> Iterator[Callable[..., Window]]:
    """Return a function that opens a window with options of Playwright. At the end none must have had an error."""
    windows: list[Window] = []
    with ExitStack() as stack:

        def open_one(**options: Any) -> Window:
            windows.append(stack.enter_context(open_window(browser, **options)))
            return windows[-1]

        yield open_one
        assert [error for each in windows for error in each.errors] == []
