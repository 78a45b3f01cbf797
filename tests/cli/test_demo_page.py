"""The page of the demo in a real browser."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ..support.waiting import wait_until
from .browser import PACKAGES, Browser, missing, open_browser
from .demo import Demo, broken_and_repaired

# The lowest contrast of a text and its background (WCAG 2 AA asks for 4.5).
WORST_CONTRAST = """
const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b]
  .map((each) => each / 255)
  .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
  .reduce((sum, each, index) => sum + each * [0.2126, 0.7152, 0.0722][index], 0);
const behind = (element) => {
  for (let each = element; each; each = each.parentElement) {
    const colour = parts(getComputedStyle(each).backgroundColor);
    if (colour.length === 3) return colour;
  }
};
const texts = [...document.querySelectorAll("body *")].filter((element) =>
  !["SCRIPT", "STYLE"].includes(element.tagName) && !element.disabled &&
  [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
return texts.map((element) => {
  const [dark, bright] = [light(parts(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => a - b);
  return [(bright + 0.05) / (dark + 0.05), element.outerHTML];
}).sort(([a], [b]) => a - b)[0];
"""
BRIGHTNESS = (
    "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((sum, each) => sum + +each, 0)"
)


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if names := missing():
        reason = f"{' and '.join(names)} not found; on Debian: apt-get install {PACKAGES}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with open_browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def page(window: Browser, demo: Demo) -> Browser:
    """The page, after a first round in which everything was healthy."""
    window.open(f"{demo.url}/")
    for path in ("/livez", "/readyz", "/startupz", "/health"):
        wait_for(window, path, "200", "pass")
    return window


def text(page: Browser, selector: str) -> str:
    found: str = page.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)
    return found


def wait_for(page: Browser, path: str, code: str, word: str) -> None:
    def shown() -> tuple[str, str]:
        return text(page, f"[data-probe='{path}'] .code"), text(page, f"[data-probe='{path}'] .word")

    wait_until(lambda: shown() == (code, word), f"the page shows {code} {word} for {path}", 20.0)


def lines(page: Browser) -> list[str]:
    """Return the lines of the list, the oldest first."""
    found: list[str] = page.run("return [...document.querySelectorAll('#log .said')].map((line) => line.textContent)")
    return found[::-1]


def shown_times(page: Browser) -> list[str]:
    """Return the moments of the lines, the oldest first, as ISO 8601 in UTC."""
    found: list[str] = page.run("return [...document.querySelectorAll('#log time')].map((time) => time.dateTime)")
    return found[::-1]


def press(page: Browser, action: str, fault: str) -> None:
    button = f"[data-{action}='{fault}']"
    wait_until(lambda: page.run("return document.querySelector(arguments[0])?.disabled", button) is False, button)
    page.click(button)


def test_the_buttons_break_and_repair_and_the_page_shows_the_answers(page: Browser, demo: Demo) -> None:
    press(page, "break", "database")
    press(page, "break", "payments-stubborn")
    press(page, "break", "recommendations")
    wait_for(page, "/readyz", "503", "fail")
    wait_for(page, "/health", "503", "fail")
    wait_for(page, "/products", "503", "error")
    wait_until(lambda: "unable to open database file" in text(page, "[data-check='database']"), "why it failed")
    wait_until(lambda: "still running after" in text(page, "[data-check='payments']"), "why it failed")
    wait_until(lambda: "refuse the connection" in text(page, "[data-check='recommendations']"), "why it failed")
    wait_for(page, "/livez", "200", "pass")
    assert demo.status("/readyz") == 503

    press(page, "repair", "database")
    press(page, "repair", "payments-stubborn")
    wait_for(page, "/readyz", "200", "warn")
    press(page, "repair", "recommendations")
    wait_for(page, "/readyz", "200", "pass")
    wait_for(page, "/products", "200", "ok")
    log = text(page, "#log")
    assert all(
        each in log
        for each in (
            "the database file has been moved away",
            "the database file is back",
            "/products: 200 ok → 503 error",
            "/products: 503 error → 200 ok",
            "check database: pass → fail (OperationalError: unable to open database file)",
            "check database: fail → pass",
            "readiness: warn → pass (check)",
        )
    ), log
    # Of what kind depends on what other tests have broken: test_demo_changes.py looks at that.
    wait_until(lambda: "alert arrived at the receiver: " in text(page, "#log"), "an alert")


def test_the_page_shows_that_nothing_answers_while_the_loop_is_blocked(page: Browser) -> None:
    press(page, "break", "loop")
    words = "return [...document.querySelectorAll('.probe .word')].map((word) => word.textContent)"
    wait_until(lambda: page.run(words) == ["no answer"] * 5, "nothing answers")
    begin = len(lines(page))
    wait_for(page, "/livez", "200", "pass")
    wait_for(page, "/readyz", "200", "pass")

    def turns_of_readiness() -> list[str]:
        return [line for line in lines(page)[begin:] if line.startswith("readiness: ")]

    # How many turns there are depends on the order in which the results grow stale and come again.
    wait_until(
        lambda: (turns := turns_of_readiness()) != [] and "→ pass" in turns[-1], lambda: "\n".join(lines(page)[begin:])
    )
    turns = turns_of_readiness()
    assert turns[0].startswith("readiness: pass → ")
    assert any("→ fail (stale: " in line for line in turns)
    after = lines(page)
    block = "the event loop is blocked for 5 s (at most 15)"
    for happened in (
        (block, "readiness: pass → ", turns[-1]),
        (block, "the server: answers → no answer", "the server: no answer → answers"),
    ):
        positions = [max(at for at, line in enumerate(after) if line.startswith(each)) for each in happened]
        assert positions == sorted(positions), after
    assert shown_times(page) == sorted(shown_times(page))


def test_the_list_has_each_change_of_the_server_once_and_in_its_order(page: Browser, demo: Demo) -> None:
    changes = [change["text"] for change in demo.request("/state").json()["changes"]]
    wait_until(lambda: changes[-1] in lines(page), changes[-1])
    seen_by_the_browser = ("the server: ", "/products: ")
    assert [line for line in lines(page) if not line.startswith(seen_by_the_browser)] == changes


def test_the_page_shows_the_times_in_the_zone_of_the_reader(page: Browser, demo: Demo) -> None:
    page.set_timezone("Asia/Tokyo")
    try:
        page.open(f"{demo.url}/")
        wait_until(lambda: lines(page) != [], "the list has lines")
        first = demo.request("/state").json()["changes"][0]["time"]
        moment = datetime.fromisoformat(first).astimezone(ZoneInfo("Asia/Tokyo"))
        shown = page.run("return document.querySelector('#log li:last-child time').textContent")
        # The server may date the same change a millisecond apart in two answers.
        assert shown in {(moment + timedelta(milliseconds=apart)).strftime("%H:%M:%S") for apart in (-5, 0, 5)}
    finally:
        page.set_timezone("")


def test_the_page_shows_the_uptime_of_each_probe_and_check(page: Browser, demo: Demo) -> None:
    with broken_and_repaired(demo, "database"):
        demo.wait_for_status_word("/readyz", "fail")

    def percent(selector: str) -> float:
        return float(text(page, f"{selector} .uptime").removesuffix(" % up") or "nan")

    wait_until(lambda: percent("[data-probe='/readyz']") < 100, "the uptime of readiness")
    wait_until(lambda: percent("[data-check='database']") < 100, "the uptime of the database")
    assert percent("[data-probe='/livez']") == 100
    assert text(page, "[data-probe='/products'] .uptime") == ""
    links = page.run("return [...document.querySelectorAll('h2 a')].map((link) => link.getAttribute('href'))")
    assert {link: demo.status(link) for link in links} == {
        "/health": 200,
        "/health?explain": 200,
        "/health/metrics": 200,
    }


# The cards of the probes and the buttons that break which are partly off the screen or covered.
HIDDEN = """
return [...document.querySelectorAll("[data-probe], [data-break]")].filter((element) => {
  const {left, top, right, bottom, width, height} = element.getBoundingClientRect();
  const there = document.elementFromPoint(left + width / 2, top + height / 2);
  return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight || !element.contains(there);
}).map((element) => JSON.stringify({...element.dataset}));
"""


# A phone's 390 x 844 without its browser's bars, the same with them, and a small one.
@pytest.mark.parametrize(("width", "height"), [(390, 844), (390, 664), (360, 640), (1280, 800)])
def test_the_probes_and_the_buttons_that_break_are_on_the_first_screen_together(
    page: Browser, width: int, height: int
) -> None:
    page.resize(width, height)
    try:
        assert page.run(HIDDEN) == []
        assert page.run("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        page.resize(0, 0)


def test_on_a_phone_the_probes_stay_visible_while_the_page_is_scrolled(page: Browser, demo: Demo) -> None:
    page.resize(390, 664)
    try:
        press(page, "break", "database")
        press(page, "break", "recommendations")
        wait_for(page, "/readyz", "503", "fail")
        page.run("document.querySelector('[data-break=loop]').scrollIntoView({block: 'end'})")
        seen = page.run(HIDDEN)
        assert [each for each in seen if "probe" in each or "loop" in each] == []
    finally:
        page.resize(0, 0)
        demo.request("/repair/database")
        demo.request("/repair/recommendations")


def test_the_page_introduces_the_package_and_shows_no_times_measured_by_the_browser(page: Browser) -> None:
    assert "asgi-health is the health layer of an ASGI app" in text(page, "header")
    assert 'HealthMiddleware(app, checks={"database": ping_database})' in text(page, "pre")
    assert "503: Kubernetes restarts the process" in text(page, "[data-probe='/livez']")
    assert " ms" not in page.run("return document.getElementById('probes').textContent")


def test_the_page_shows_faults_that_another_client_has_begun(page: Browser, demo: Demo) -> None:
    demo.request("/break/recommendations")
    wait_for(page, "/readyz", "200", "warn")
    press(page, "repair", "recommendations")
    wait_for(page, "/readyz", "200", "pass")


def test_the_page_shows_the_thresholds(page: Browser) -> None:
    row = text(page, "[data-check='database']")
    assert "every 0.5 s, retry after 0.5 s" in row
    assert "timeout 1 s, stale after 2.5 s" in row
    assert "fails after 2 failures" in row
    assert "healthy after 2 passes" in row


@pytest.mark.parametrize(("scheme", "is_light"), [("light", True), ("dark", False)])
def test_every_text_is_readable_in_both_colour_schemes(page: Browser, scheme: str, is_light: bool) -> None:
    page.prefer(scheme)
    assert (page.run(BRIGHTNESS) > 3 * 128) is is_light
    for tone in ("pass", "warn", "fail", "none"):
        page.run("document.querySelectorAll('.word').forEach((word) => word.className = `word ${arguments[0]}`)", tone)
        contrast, element = page.run(WORST_CONTRAST)
        assert contrast >= 4.5, element


def test_the_page_fetches_nothing_from_other_origins_and_logs_no_errors(page: Browser, demo: Demo) -> None:
    fetched = page.run("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert fetched
    assert all(url.startswith(f"{demo.url}/") for url in fetched)
    assert page.console_errors() == []
