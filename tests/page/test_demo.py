"""The page of the demo: the status page with buttons that break and repair what the shop depends on."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect

from ..cli.demo import Demo, broken_and_repaired, running_demo
from ..support.waiting import wait_until
from .chromium import Window, axe_violations, axe_violations_in_both_schemes

pytestmark = pytest.mark.xdist_group("page demo")  # one browser, one demo

OpenWindow = Callable[..., Window]

PATIENCE = 20_000.0
"""Milliseconds within which a change must be shown on a busy machine."""

PROBES = {"/livez": "Live", "/readyz": "Ready", "/startupz": "Started", "/health": "All checks"}


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with running_demo() as process:
        process.wait_for_status_word("/readyz", "pass")
        yield process


@pytest.fixture
def page(demo: Demo, window: OpenWindow) -> Page:
    return open_page(demo, window().page)


def open_page(demo: Demo, page: Page) -> Page:
    """Open the page of a demo in which nothing is broken."""
    page.goto(f"{demo.url}/")
    expect(page.locator("#live")).to_have_attribute("data-state", "live", timeout=PATIENCE)
    for path in PROBES:
        expect_probe(page, path, "pass 200")
    expect(page.locator("#shop-code")).to_have_text("200", timeout=PATIENCE)
    return page


def probe(page: Page, path: str) -> Locator:
    name = page.locator(".name", has_text=re.compile(f"^{PROBES[path]}$"))
    return page.locator(".probe").filter(has=name)


def expect_probe(page: Page, path: str, answer: str) -> None:
    expect(probe(page, path).locator(".state")).to_have_text(answer, timeout=PATIENCE)


def press(page: Page, word: str, fault: str) -> None:
    button = page.locator(f"#fault-{fault} button")
    expect(button).to_have_text(word, timeout=PATIENCE)
    button.click()


def expect_line(page: Page, text: str) -> None:
    expect(page.locator("#log li", has_text=text).first).to_be_visible(timeout=PATIENCE)


def lines(page: Page) -> list[str]:
    """Return what happened, the oldest first."""
    return page.locator("#log li > span").all_text_contents()[::-1]


def test_the_buttons_break_and_repair_and_the_page_shows_why_and_since_when(page: Page, demo: Demo) -> None:
    press(page, "Break", "database")
    press(page, "Break", "payments-stubborn")
    press(page, "Break", "recommendations")
    expect_probe(page, "/readyz", "fail 503")
    expect_probe(page, "/health", "fail 503")
    expect_probe(page, "/livez", "pass 200")
    expect(page.locator("#shop-code")).to_have_text("503", timeout=PATIENCE)
    for check, why in {
        "database": "unable to open database file",
        "payments": "still running after",
        "recommendations": "refuse the connection",
    }.items():
        expect(page.locator(f"#check-{check} .output")).to_contain_text(why, timeout=PATIENCE)
        expect(page.locator(f"#check-{check} .what")).to_contain_text(re.compile(r"since \d\d:\d\d:\d\d, \d+ s"))
    verdict = page.locator("#verdict")
    expect(verdict).to_contain_text(re.compile(r"Not ready since \d\d:\d\d:\d\d, \d+ s: .*database"))
    expect(verdict).to_contain_text("1 optional check is down")
    expect(page.locator("#fault-database .state")).to_have_text("broken")
    assert demo.status("/readyz") == 503
    assert axe_violations(page) == []

    press(page, "Repair", "database")
    press(page, "Repair", "payments-stubborn")
    expect_probe(page, "/readyz", "warn 200")
    press(page, "Repair", "recommendations")
    expect_probe(page, "/readyz", "pass 200")
    expect(page.locator("#shop-code")).to_have_text("200", timeout=PATIENCE)
    expect(page.locator("#changes li").first).to_contain_text("Ready warn → pass", timeout=PATIENCE)
    for line in (
        "the database file has been moved away",
        "the database file is back",
        "/products: 200 → 503",
        "/products: 503 → 200",
        "alert arrived at the receiver: ",  # of what kind: tests/cli/test_demo_changes.py
    ):
        expect_line(page, line)


def test_the_page_shows_that_nothing_answers_while_the_loop_is_blocked(page: Page, demo: Demo) -> None:
    press(page, "Block for 5 s", "loop")
    expect(page.locator("#shop-code")).to_have_text("no answer", timeout=PATIENCE)
    expect(page.locator("#shop-code")).to_have_text("200", timeout=PATIENCE)
    expect_line(page, "the event loop is blocked for 5 s (at most 15)")
    expect(page.locator(".loop")).to_contain_text("_block_now", timeout=PATIENCE)
    expect_probe(page, "/livez", "pass 200")
    expect_probe(page, "/readyz", "pass 200")
    demo.wait_for_status_word("/readyz", "pass")


def test_the_page_shows_each_change_of_the_server_once_and_in_its_order(page: Page, demo: Demo) -> None:
    with broken_and_repaired(demo, "recommendations"):
        expect_probe(page, "/readyz", "warn 200")
    wait_until(lambda: lines(page) == [each.text for each in demo.changes()], lambda: "\n".join(lines(page)))
    times = page.locator("#log time").evaluate_all("(all) => all.map((each) => each.dateTime)")
    assert times == sorted(times, reverse=True)


TIMES = "elements => elements.map(element => [element.dateTime, element.textContent])"


def test_the_page_shows_the_times_in_the_zone_of_the_reader(demo: Demo, window: OpenWindow) -> None:
    with broken_and_repaired(demo, "recommendations"):
        page = window(timezone_id="Asia/Tokyo").page
        page.goto(f"{demo.url}/")
    expect_line(page, "recommendations are up")

    def shown() -> list[tuple[str, str]]:
        # In one step, because the page adds lines above the others meanwhile.
        return [tuple(each) for each in page.locator("#log time").evaluate_all(TIMES)]

    def in_tokyo(moment: str) -> str:
        return f"{datetime.fromisoformat(moment).astimezone(ZoneInfo('Asia/Tokyo')):%H:%M:%S}"

    page.wait_for_function("() => document.querySelector('#log time')")
    wait_until(lambda: all(text == in_tokyo(moment) for moment, text in shown()), lambda: f"all in one zone: {shown()}")


def test_a_fault_takes_uptime_from_its_probe_and_its_check(page: Page, demo: Demo) -> None:
    with broken_and_repaired(demo, "payments-hang"):
        demo.wait_for_status_word("/readyz", "fail")
    for uptime in (probe(page, "/readyz").locator(".up .number"), page.locator("#check-payments summary .number").last):
        expect(uptime).to_have_text(re.compile(r"(?<!\d)\d\d?(\.\d+)? %"), timeout=PATIENCE)
    expect(probe(page, "/livez").locator(".up .number")).to_have_text("100 %")


# The cards of the probes and the buttons which are partly off the screen or covered.
HIDDEN = """() => [...document.querySelectorAll(".probe, .fault button")].filter((element) => {
  const {left, top, right, bottom, width, height} = element.getBoundingClientRect();
  const there = document.elementFromPoint(left + width / 2, top + height / 2);
  return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight || !element.contains(there);
}).map((element) => element.outerHTML)"""


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
def test_the_probes_and_the_buttons_are_on_the_first_screen_together(
    page: Page, demo: Demo, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    assert page.evaluate(HIDDEN) == []
    with broken_and_repaired(demo, "recommendations"):
        expect_probe(page, "/readyz", "warn 200")
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_the_page_introduces_the_package_and_links_to_what_it_answers(page: Page, demo: Demo) -> None:
    panel = page.locator("#panel")
    expect(panel).to_contain_text("asgi-health is the health layer of an ASGI app")
    expect(panel).to_contain_text('HealthMiddleware(app, checks={"database": ping_database})')
    links = page.locator("main a, footer a").evaluate_all("(all) => all.map((each) => each.href)")
    assert {link: page.request.get(link).status for link in links} == dict.fromkeys(links, 200)
    assert {f"{demo.url}/{path}" for path in ("products", "readyz", "health", "health?explain")} <= {*links}
    assert page.request.get(f"{demo.url}/?format=json").json()["serviceId"] == "shop"


def test_the_page_shows_faults_that_another_client_has_begun(page: Page, demo: Demo) -> None:
    demo.request("/break/recommendations")
    expect_probe(page, "/readyz", "warn 200")
    press(page, "Repair", "recommendations")
    expect_probe(page, "/readyz", "pass 200")


def test_the_focus_stays_on_a_button_that_is_pressed_by_the_keyboard(page: Page, demo: Demo) -> None:
    button = page.locator("#fault-recommendations button")
    button.focus()
    for word in ("Repair", "Break"):
        page.keyboard.press("Enter")
        expect(button).to_have_text(word, timeout=PATIENCE)
        expect(button).to_be_focused()
    demo.wait_for_status_word("/readyz", "pass")


def test_the_page_shows_the_thresholds(page: Page) -> None:
    page.locator("#check-database summary").click()
    more = page.locator("#check-database .more")
    for setting in (
        "every 0.5 s, after a failure 0.5 s",
        "timeout 1 s, stale after 2.5 s",
        "fails after 2, passes after 2",
    ):
        expect(more).to_contain_text(setting)


def test_the_page_is_accessible_in_both_colour_schemes_whatever_is_broken(page: Page, demo: Demo) -> None:
    assert axe_violations_in_both_schemes(page) == []
    with broken_and_repaired(demo, "payments-hang"):
        expect_probe(page, "/readyz", "fail 503")
        expect(page.locator("#fault-payments-hang .state")).to_have_text("broken", timeout=PATIENCE)
        assert axe_violations_in_both_schemes(page) == []


def test_without_javascript_the_buttons_lead_back_to_the_page(demo: Demo, window: OpenWindow) -> None:
    page = window(java_script_enabled=False).page
    page.goto(f"{demo.url}/")
    for word in ("Break", "Repair"):
        press(page, word, "recommendations")
        assert page.url == f"{demo.url}/"
    expect(page.locator("#log")).to_contain_text("recommendations are up")
    demo.wait_for_status_word("/readyz", "pass")


def test_the_page_fetches_nothing_from_other_origins(demo: Demo, window: OpenWindow) -> None:
    opened = window()
    open_page(demo, opened.page)
    assert all(url.startswith((f"{demo.url}/", "data:image/svg+xml,")) for url in opened.requested), opened.requested
