"""The page of an app that runs: what changes is shown without a reload, also after the app has restarted."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from asgi_health import Check, HealthMiddleware, Probe, ServiceInfo, degraded, healthy, unhealthy
from asgi_health.formats.answer import Answer

from ..support.waiting import wait_until
from .chromium import Window, axe_violations
from .site import Shop, below, nothing, served, static

pytestmark = pytest.mark.xdist_group("page live")  # one browser

OpenWindow = Callable[..., Window]

BUSY = 5.0
"""Seconds within which a change must be shown on a busy machine; on a quiet one it takes a third of a second."""

DOWN = unhealthy("ConnectionRefusedError: Connection refused")


@pytest.fixture
def shop() -> Shop:
    return Shop("cache", "database", "optional-search")


@pytest.fixture
def url(shop: Shop) -> Iterator[str]:
    with served(shop.make()) as port:
        yield f"http://127.0.0.1:{port}/health"


def open_page(window: OpenWindow, url: str) -> Page:
    page = window().page
    page.goto(url)
    expect_state(page, "live")
    expect(page.locator("#verdict")).to_contain_text("Healthy")
    return page


def expect_state(page: Page, state: str) -> None:
    expect(page.locator("#live")).to_have_attribute("data-state", state, timeout=20_000)


def wait_for_requests(opened: Window, address: str, count: int) -> None:
    for _ in range(200):
        if opened.requested.count(address) >= count:
            return
        opened.page.wait_for_timeout(100)  # in which Playwright passes requests on
    pytest.fail(f"fewer than {count} requests for {address}: {opened.requested}")


def test_a_change_is_shown_at_once(shop: Shop, url: str, window: OpenWindow) -> None:
    page = open_page(window, url)
    page.evaluate("""() => {
      new MutationObserver(() => {
        if (document.getElementById("verdict")?.textContent.includes("Not ready")) window.shown ??= Date.now();
      }).observe(document.body, {childList: true, subtree: true});
    }""")
    shop.results["database"] = DOWN
    begin = time.time()
    expect(page.locator("#verdict")).to_contain_text("Not ready")
    assert page.evaluate("() => window.shown") / 1000 - begin < BUSY
    expect(page.locator("#verdict")).to_contain_text("database refuses connections")
    expect(page.locator("#check-database .output")).to_have_text("ConnectionRefusedError: Connection refused")
    expect(page.locator(".check").first).to_have_id("check-database")
    expect(page).to_have_title("Not ready – Health")
    assert "cd3a34" in (page.locator("#icon").get_attribute("href") or "")
    expect(page.locator("#announcement")).to_contain_text("Not ready")
    expect(page.locator("#counts")).to_have_text(re.compile(r"1 fail\s+2 pass"))
    expect(page.locator("#changes li").first).to_contain_text("Ready pass → fail")

    shop.results["database"] = healthy()
    expect(page.locator("#verdict")).to_contain_text("Healthy")
    expect(page.locator(".check")).to_have_text([re.compile(f"pass {name}") for name in sorted(shop.results)])
    assert axe_violations(page) == []


def test_an_opened_check_and_the_focus_stay_when_it_changes(shop: Shop, url: str, window: OpenWindow) -> None:
    page = open_page(window, url)
    summary = page.locator("#check-optional-search summary")
    summary.focus()
    page.keyboard.press("Enter")
    shop.results["optional-search"] = DOWN
    expect(page.locator("#check-optional-search .output")).to_be_visible()
    expect(page.locator("#check-optional-search .more")).to_be_visible()
    expect(summary).to_be_focused()
    expect(page.locator(".check").last).to_have_id("check-optional-search")  # it does not move below the reader


def test_a_paused_page_changes_when_the_reader_resumes(shop: Shop, url: str, window: OpenWindow) -> None:
    page = open_page(window, url)
    page.get_by_role("button", name="Pause").click()
    expect_state(page, "paused")
    shop.results["database"] = DOWN
    wait_until(lambda: page.request.get(url.replace("/health", "/readyz")).status == 503, "it is not ready")
    page.wait_for_timeout(1200)  # more than a state of the events takes: nothing must come
    expect(page.locator("#verdict")).to_contain_text("Healthy")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#verdict")).to_contain_text("Not ready")
    expect_state(page, "live")


def test_the_page_goes_on_when_the_app_has_restarted(window: OpenWindow, shop: Shop) -> None:
    shop.service = ServiceInfo("shop", "1.0")
    with served(shop.make()) as port:
        page = open_page(window, f"http://127.0.0.1:{port}/health")
    expect_state(page, "reconnecting")
    expect(page.locator("#verdict")).to_be_visible()  # what was last seen stays
    shop.service = ServiceInfo("shop", "2.0")
    shop.results["new"] = degraded("nearly full")
    del shop.results["cache"]
    with served(shop.make(), port):
        expect_state(page, "live")
        expect(page.locator("#service")).to_contain_text("2.0")
        expect(page.locator("#verdict")).to_contain_text("Ready, with a problem")
        expect(page.locator("#check-new .output")).to_have_text("nearly full")
        expect(page.locator("#check-cache")).to_have_count(0)
        shop.results["database"] = DOWN
        expect(page.locator("#verdict")).to_contain_text("Not ready")


def test_a_server_that_stays_away_is_offline_since_a_moment(window: OpenWindow, shop: Shop) -> None:
    opened = window()
    page = opened.page
    page.clock.install()
    with served(shop.make()) as port:
        page.goto(f"http://127.0.0.1:{port}/health")
        expect_state(page, "live")
    expect_state(page, "reconnecting")
    page.clock.run_for(12_000)
    expect_state(page, "offline")
    expect(page.locator("#live-text")).to_have_text(re.compile(r"offline since \d\d:\d\d:\d\d"))
    expect(page.locator("#away")).to_have_text("The server does not answer. This is what was last seen.")
    expect(page.locator("#verdict")).to_contain_text("Healthy")  # and not in green
    assert page.evaluate("() => getComputedStyle(document.querySelector('#head')).filter") == "grayscale(1)"
    assert axe_violations(page) == []
    with served(shop.make(), port):
        page.clock.run_for(20_000)
        expect_state(page, "live")
        expect(page.locator("#away")).to_be_hidden()


def test_a_drain_is_shown_until_the_server_ends(window: OpenWindow, shop: Shop) -> None:
    app = shop.make()
    with served(app) as port:
        page = open_page(window, f"http://127.0.0.1:{port}/health")
        app.health.drain()
        expect(page.locator("#verdict")).to_contain_text("Draining")


def test_a_filtered_page_stays_filtered(window: OpenWindow, shop: Shop) -> None:
    shop.results.update({f"check-{number:02}": healthy() for number in range(30)})
    with served(shop.make()) as port:
        page = window().page
        page.goto(f"http://127.0.0.1:{port}/health")
        expect_state(page, "live")
        page.get_by_label("Search").press_sequentially("check-1")
        expect(page.locator(".check")).to_have_count(10)
        expect(page.get_by_label("Search")).to_be_focused()
        expect(page.locator("#found")).to_have_text("10 of 33 checks")
        assert page.url.endswith("/health?format=html&search=check-1")
        shop.results["database"] = DOWN
        shop.results["check-15"] = DOWN
        expect(page.locator(".check").first).to_have_id("check-check-15")
        expect(page.locator(".check")).to_have_count(10)
        page.get_by_label("Status").select_option("fail")
        expect(page.locator(".check")).to_have_count(1)
        page.reload()
        expect(page.locator(".check")).to_have_count(1)
        page.get_by_role("link", name="Show all").click()
        expect(page.locator(".check")).to_have_count(33)


def test_behind_a_prefix_the_page_finds_its_events(window: OpenWindow, shop: Shop) -> None:
    with served(below("/api/v1", shop.make())) as port:
        page = open_page(window, f"http://127.0.0.1:{port}/api/v1/healthz")
        shop.results["database"] = DOWN
        expect(page.locator("#verdict")).to_contain_text("Not ready")


def test_where_there_are_no_events_the_page_is_loaded_again(window: OpenWindow, shop: Shop) -> None:
    shop.events = None
    with served(shop.make()) as port:
        page = window().page
        page.clock.install()
        page.goto(f"http://127.0.0.1:{port}/health")
        expect(page.locator("#live-text")).to_have_text("every 5 s")
        shop.results["database"] = DOWN
        wait_until(lambda: page.request.get(f"http://127.0.0.1:{port}/readyz").status == 503, "it is not ready")
        page.clock.run_for(6000)
        expect(page.locator("#verdict")).to_contain_text("Not ready")


@pytest.mark.parametrize("path", ["/readyz?format=html", "/health?exclude=thread-pool"])
def test_a_page_of_some_of_the_checks_never_shows_the_others(window: OpenWindow, path: str) -> None:
    result = {"database": healthy(), "thread-pool": healthy()}
    app = HealthMiddleware(
        nothing,
        [
            Check("database", lambda: result["database"], interval=0.1, failure_threshold=1),
            Check("thread-pool", lambda: result["thread-pool"], probes=(Probe.LIVENESS,), interval=0.1),
        ],
        details=True,
    )
    with served(app) as port:
        opened = window()
        page = opened.page
        page.clock.install()
        page.goto(f"http://127.0.0.1:{port}{path}")
        expect(page.locator("#live-text")).to_have_text("every 5 s")
        result["database"] = DOWN
        wait_until(lambda: page.request.get(f"http://127.0.0.1:{port}/readyz").status == 503, "it is not ready")
        page.clock.run_for(6000)
        expect(page.locator("#verdict")).to_contain_text("Not ready")
        expect(page.locator(".check")).to_have_count(1)
        assert not [address for address in opened.requested if address.endswith("/events")]


@pytest.mark.parametrize("status", [200, 502])
def test_a_page_of_a_proxy_is_no_answer_of_the_app(window: OpenWindow, shop: Shop, status: int) -> None:
    html = ((b"content-type", b"text/html"),)
    page = window().page
    page.clock.install()
    with served(shop.make()) as port:
        page.goto(f"http://127.0.0.1:{port}/health")
        expect_state(page, "live")
    refusal = Answer(status, html, b"<title>no such backend</title><h1>no such backend</h1>")
    with served(static({"/health": refusal, "/health/events": refusal}), port):
        for _ in range(3):
            page.clock.run_for(10_000)
            page.wait_for_timeout(300)  # in which the proxy answers
        expect_state(page, "offline")
        expect(page.locator("#verdict")).to_contain_text("Healthy")  # what was last seen
    with served(shop.make(), port):
        page.clock.run_for(20_000)
        expect_state(page, "live")


def test_a_page_whose_stream_another_one_replaces_is_loaded_again_meanwhile(
    shop: Shop, url: str, window: OpenWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_health.asgi.events.feed.MAX_WATCHERS", 1)
    first = open_page(window, url)
    open_page(window, url)
    expect(first.locator("#live-text")).to_have_text("every 5 s")
    shop.results["database"] = DOWN
    expect(first.locator("#verdict")).to_contain_text("Not ready", timeout=20_000)
    expect_state(first, "live")


def test_a_stream_that_is_renewed_loads_no_page_and_is_live_all_the_time(
    shop: Shop, url: str, window: OpenWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_health.asgi.events.watcher.LIFETIME", 1.0)
    opened = window()
    page = opened.page
    page.goto(url)
    expect_state(page, "live")
    page.evaluate("""() => {
      window.states = new Set();
      new MutationObserver(() => window.states.add(document.getElementById("live").dataset.state))
        .observe(document.getElementById("live"), {attributes: true, childList: true, subtree: true});
    }""")
    wait_for_requests(opened, f"{url}/events", 6)
    assert opened.requested.count(url) == 1
    assert page.evaluate("() => [...window.states]") in ([], ["live"])
    shop.results["database"] = DOWN
    expect(page.locator("#verdict")).to_contain_text("Not ready")


def test_another_process_behind_the_same_address_shows_its_service(
    shop: Shop, url: str, window: OpenWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_health.asgi.events.watcher.LIFETIME", 1.0)
    opened = window()
    opened.page.goto(url)
    expect_state(opened.page, "live")
    monkeypatch.setattr("asgi_health.asgi.events.event_id._token", lambda: "another")
    wait_for_requests(opened, url, 2)  # the page is loaded again
