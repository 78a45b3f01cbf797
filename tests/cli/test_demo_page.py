"""The page of the demo in a real browser."""

import os
from collections.abc import Iterator

import pytest

from ..support.waiting import wait_until
from .browser import PACKAGES, Browser, browser, missing
from .demo import Demo

# How much each text stands out from what is behind it (WCAG 2: 4.5 is enough for everybody), the worst one.
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
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def page(window: Browser, demo: Demo) -> Browser:
    """The page, when it has looked at the shop once and found everything well."""
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


def press(page: Browser, what: str, fault: str) -> None:
    button = f"[data-{what}='{fault}']"
    wait_until(lambda: page.run("return document.querySelector(arguments[0])?.disabled", button) is False, button)
    page.click(button)


def test_buttons_break_and_mend_and_the_page_shows_what_becomes_of_it(page: Browser, demo: Demo) -> None:
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

    press(page, "mend", "database")
    press(page, "mend", "payments-stubborn")
    wait_for(page, "/readyz", "200", "warn")
    press(page, "mend", "recommendations")
    wait_for(page, "/readyz", "200", "pass")
    wait_for(page, "/products", "200", "ok")
    log = text(page, "#log")
    assert all(
        each in log
        for each in (
            "/livez: 200 pass",
            "→ 503 fail",
            "→ 200 pass",
            "The database is gone: broken",
            "The database is gone: broken → mended",
            "check database: pass → fail (OperationalError: unable to open database file)",
            "check database: fail → pass",
        )
    ), log


def test_it_shows_that_nothing_answers_while_the_loop_is_blocked(page: Browser) -> None:
    press(page, "break", "loop")
    words = "return [...document.querySelectorAll('.probe .word')].map((word) => word.textContent)"
    wait_until(lambda: page.run(words) == ["no answer"] * 5, "nothing answers")
    wait_for(page, "/livez", "200", "pass")
    wait_for(page, "/readyz", "200", "pass")


# Of the cards of the probes and the buttons that break: those that are not wholly on the screen, or covered.
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


def test_on_a_phone_the_probes_stay_in_sight_below_what_is_broken(page: Browser, demo: Demo) -> None:
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
        demo.ask("/mend/database")
        demo.ask("/mend/recommendations")


def test_the_page_says_what_the_package_is_and_shows_no_time_of_the_browser(page: Browser) -> None:
    assert "asgi-health is the health layer of an ASGI app" in text(page, "header")
    assert 'HealthMiddleware(app, checks={"database": ping_database})' in text(page, "pre")
    assert "503: Kubernetes restarts the process" in text(page, "[data-probe='/livez']")
    assert " ms" not in page.run("return document.getElementById('probes').textContent")


def test_what_others_break_shows_too(page: Browser, demo: Demo) -> None:
    demo.ask("/break/recommendations")
    wait_for(page, "/readyz", "200", "warn")
    press(page, "mend", "recommendations")
    wait_for(page, "/readyz", "200", "pass")


def test_the_thresholds_are_shown(page: Browser) -> None:
    row = text(page, "[data-check='database']")
    assert "every 0.5 s, retry after 0.5 s" in row
    assert "timeout 1 s, stale after 2.5 s" in row
    assert "fails after 2 failures" in row
    assert "well after 2 passes" in row


@pytest.mark.parametrize(("scheme", "is_light"), [("light", True), ("dark", False)])
def test_every_text_is_readable_in_both_colour_schemes(page: Browser, scheme: str, is_light: bool) -> None:
    page.prefer(scheme)
    assert (page.run(BRIGHTNESS) > 3 * 128) is is_light
    for tone in ("pass", "warn", "fail", "none"):
        page.run("document.querySelectorAll('.word').forEach((word) => word.className = `word ${arguments[0]}`)", tone)
        contrast, element = page.run(WORST_CONTRAST)
        assert contrast >= 4.5, element


def test_it_fetches_nothing_from_elsewhere_and_has_nothing_to_complain_of(page: Browser, demo: Demo) -> None:
    fetched = page.run("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert fetched
    assert all(url.startswith(f"{demo.url}/") for url in fetched)
    assert page.complaints() == []
