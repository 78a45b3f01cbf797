"""A reader without leave: a small page with a form. The token stays in memory."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from asgi_health import bearer_token, unhealthy
from asgi_health.asgi.types import Scope

from .chromium import Window, axe_violations
from .site import Shop, served

pytestmark = pytest.mark.xdist_group("page sign_in")  # one browser

OpenWindow = Callable[..., Window]

TOKEN = "a-secret-token-of-a-reader"


@pytest.fixture
def shop() -> Shop:
    return Shop(*(f"check-{number:03}" for number in range(120)), details=bearer_token(TOKEN), interval=2.0)


@pytest.fixture
def url(shop: Shop) -> Iterator[str]:
    with served(shop.make()) as port:
        yield f"http://127.0.0.1:{port}/health"


def test_a_reader_signs_in_and_the_token_is_nowhere_but_in_memory(shop: Shop, url: str, window: OpenWindow) -> None:
    opened = window()
    page = opened.page
    page.goto(url)
    expect(page.locator("h1")).to_have_text("Healthy")
    assert "check-000" not in page.content()
    assert axe_violations(page) == []
    page.get_by_label("Token for details").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The server does not accept this token.")
    page.get_by_label("Token for details").fill(TOKEN)
    page.get_by_role("button", name="Show details").click()
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    expect(page.locator(".check")).to_have_count(100)
    expect(page).to_have_title("Healthy – Health")
    shop.results["check-007"] = unhealthy("no")
    expect(page.locator("#verdict")).to_contain_text("Not ready")
    page.get_by_role("link", name="Next").click()  # with the token, which a plain link would lose
    expect(page.locator("#pages")).to_contain_text("Page 2 of 2")
    page.get_by_label("Search").fill("check-007")
    expect(page.locator(".check")).to_have_count(1)

    assert axe_violations(page) == []
    assert TOKEN not in page.content()
    assert TOKEN not in page.url
    assert not [address for address in opened.requested if TOKEN in address]
    assert page.evaluate("() => [localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert page.evaluate("async () => await indexedDB.databases()") == []
    page.goto(url)
    expect(page.locator("#sign-in")).to_be_visible()
    assert "check-000" not in page.content()


def test_a_reader_that_the_policy_no_longer_admits_sees_no_details_any_more(
    window: OpenWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_health.asgi.events.watcher.LIFETIME", 2.0)
    admitted = [b"Bearer first"]

    def policy(scope: Scope) -> bool:
        return (b"authorization", admitted[0]) in scope["headers"]

    with served(Shop("database", details=policy).make()) as port:
        page = window().page
        page.goto(f"http://127.0.0.1:{port}/health")
        for token in ("first", "second"):
            admitted[0] = f"Bearer {token}".encode()
            page.get_by_label("Token for details").fill(token)
            page.keyboard.press("Enter")
            expect(page.locator("#live")).to_have_attribute("data-state", "live")
            expect(page.locator("#check-database")).to_be_visible()
            admitted[0] = b"Bearer another"
            expect(page.locator("#sign-in")).to_be_visible(timeout=40_000)  # a stream lasts 20 s
            expect(page.locator("h1")).to_have_text("Healthy")
            assert "database" not in page.content()
