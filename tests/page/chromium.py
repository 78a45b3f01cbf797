"""A real Chromium, driven by Playwright, whose pages record what must not happen."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import axe_core_python
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

PACKAGE = "chromium"  # the name in Debian
AXE = Path(axe_core_python.__file__).with_name("axe.min.js")


@contextmanager
def open_chromium(**environment: str) -> Iterator[Browser]:
    """Open a browser with more variables of the environment; close it after the block."""
    with sync_playwright() as playwright:
        # Chromium refuses its sandbox to root, the user in many containers.
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-dev-shm-usage"],
            env={**os.environ, **environment},
        )
        try:
            yield browser
        finally:
            browser.close()


class Window(NamedTuple):
    """A page of the browser, and what it did.

    Attributes:
        page: The page.
        errors: Errors of the console and of scripts, and violations of the content security policy; not those of
            requests that failed.
        requested: The addresses that were requested.
    """

    page: Page
    errors: list[str]
    requested: list[str]


@contextmanager
def open_window(browser: Browser, **options: Any) -> Iterator[Window]:
    """Open a page in a context of its own with the options of `Browser.new_context`."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "timezone_id": "UTC", **options})
    context.set_default_timeout(10_000.0)
    page = context.new_page()
    window = Window(page, [], [])
    page.on("console", lambda message: window.errors.extend(_errors(message)))
    page.on("pageerror", lambda error: window.errors.append(str(error)))
    page.on("request", lambda request: window.requested.append(request.url))
    try:
        yield window
    finally:
        context.close()


def _errors(message: ConsoleMessage) -> list[str]:
    ours = message.type == "error" and not message.text.startswith("Failed to load resource: ")
    return [message.text] if ours else []


def axe_violations_in_both_schemes(page: Page) -> list[str]:
    """Return what axe-core finds in the light page, and in the dark one by the rules that look at colours."""
    page.emulate_media(color_scheme="light")
    found = axe_violations(page)
    page.emulate_media(color_scheme="dark")
    return [*found, *axe_violations(page, "color-contrast", "link-in-text-block")]


def axe_violations(page: Page, *rules: str) -> list[str]:
    """Return what axe-core finds: each rule of WCAG 2.2 A and AA and of good practice, with the elements.

    Args:
        page: A page that is loaded.
        rules: The rules that are checked, in place of all.
    """
    page.evaluate(AXE.read_text())
    # Without most of a hundred rows, which are like the others: axe takes a second for three.
    options = {"runOnly": {"type": "rule", "values": rules}} if rules else {}
    found = page.evaluate("(options) => axe.run({exclude: ['.check:nth-child(n + 9)']}, options)", options)
    return [f"{each['id']}: {[node['html'] for node in each['nodes']][:3]}" for each in found["violations"]]
