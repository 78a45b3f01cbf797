"""The site in a real browser: what it asks other hosts for, what its search finds, and that every reader can use it."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from ..page.chromium import Window, axe_violations_in_both_schemes

pytestmark = [pytest.mark.xdist_group("site"), pytest.mark.processes]

OpenWindow = Callable[..., Window]

QUESTIONS = {
    "gunicorn access log": "how-to/quiet-logs/",
    "what to put into liveness": "explanation/liveness-and-readiness/",
    "503 draining": "reference/notes/",
    "timeout unit": "reference/settings/",
    "hide health checks from the log of gunicorn": "how-to/quiet-logs/",
    "websocket drain": "how-to/websockets/",
    "fastapi run": "how-to/frameworks/fastapi/",
    "check hangs": "how-to/write-a-check/",
    "planned database upgrade": "how-to/maintenance/",
    "spring boot": "coming-from/spring-boot-actuator/",
}


def found(page: Page, question: str) -> list[str]:
    """Return the paths of the pages that the search finds, the best first."""
    field, state = page.locator("[data-md-component=search-query]"), page.locator(".md-search-result__meta")
    field.click()  # the page reads the index at the first focus, and the field when a key is released
    for text, shown in (("", "Type to start searching"), (question, "matching document")):
        field.fill(text)
        field.press("End")
        expect(state).to_contain_text(shown, timeout=30_000)
    links = page.locator(".md-search-result__item > a").all()
    return [urlsplit(link.get_attribute("href") or "").path.removeprefix("/") for link in links[:5]]


def test_no_page_asks_another_host_for_anything(url: str, window: OpenWindow) -> None:
    opened = window()
    for path in ("", "reference/endpoints/", "how-to/"):
        opened.page.goto(url + path, wait_until="networkidle")
    found(opened.page, "liveness")
    assert [address for address in opened.requested if not address.startswith(url)] == []


def test_the_search_finds_the_page_that_answers(url: str, window: OpenWindow) -> None:
    page = window().page
    page.goto(url)
    assert {question: found(page, question)[0] for question in QUESTIONS} == QUESTIONS


def test_the_copy_button_of_a_session_copies_its_commands_alone(url: str, window: OpenWindow) -> None:
    page = window(permissions=["clipboard-read", "clipboard-write"]).page
    page.goto(url)
    session = page.locator(".language-console", has_text="HTTP/1.1 200 OK")
    session.hover()
    session.locator(".md-code__button").click()
    expect(page.locator(".md-dialog")).to_have_text("Copied to clipboard")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "uvicorn app:app &\ncurl -i http://127.0.0.1:8000/health/ready"


def test_readers_with_a_screen_reader_or_weak_eyes_can_use_it(url: str, window: OpenWindow) -> None:
    page = window().page
    for path in ("", "reference/notes/"):
        page.goto(url + path)
        # Material's lists of pages have one label each and one landmark more.
        found = [each for each in axe_violations_in_both_schemes(page) if not each.startswith("landmark-unique")]
        assert found == []
