"""The page in each state of an app: how it looks at each width and in print, and that every reader can use it."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from asgi_health import Probe, Status
from asgi_health.core.stalls import Stall
from asgi_health.formats.page import LastStall, View, public_page
from asgi_health.formats.page.moments import elapsed

from ..support import page_states as states
from .chromium import Window, axe_violations, axe_violations_in_both_schemes
from .site import served, static

pytestmark = pytest.mark.xdist_group("page states")  # one browser

OpenWindow = Callable[..., Window]

STATES = (
    *("calm", "broken", "degraded", "starting", "draining", "blocked", "many", "found", "none", "nothing", "public"),
    "long",
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Return the address of a server with a page for each state."""
    calm, many, blocked = states.calm(), states.many(), states.calm()
    blocked.set_stalled(frozenset({Probe.READINESS, Probe.HEALTH}), states.NOW - 7.0)
    last = LastStall(states.NOW - 11.0, "load (/srv/shop/reports.py:41)")
    blocked_facts = states.facts_of(blocked, loop_lag=12.0, last_stall=last)
    long, culprit = (
        states.with_long_words(),
        LastStall(states.NOW - 11.0, f"{states.LONG_WORD} (/{states.LONG_WORD}.py:1)"),
    )
    long.record_stall(7.0)
    pages = {
        "/calm": states.page_of(calm),
        "/broken": states.page_of(states.broken()),
        "/degraded": states.page_of(states.degraded_only()),
        "/starting": states.page_of(states.starting()),
        "/draining": states.page_of(states.draining()),
        "/blocked": states.page_of(blocked, facts=blocked_facts, stall=Stall(12.3, 5.0)),
        "/many": states.page_of(many),
        "/found": states.page_of(many, view=View(search="shop", status="fail")),
        "/none": states.page_of(many, view=View(search="nothing has this name")),
        "/nothing": states.page_of(states.play(), None),
        "/long": states.page_of(long, states.LONG_SERVICE, facts=states.facts_of(long, last_stall=culprit)),
        "/public": public_page(Status.UNHEALTHY, "draining", sign_in=True),
    }
    with served(static(pages)) as port:
        yield f"http://127.0.0.1:{port}"


def open_checks(page: Page) -> None:
    page.evaluate("() => [...document.querySelectorAll('details')].slice(0, 8).forEach((each) => each.open = true)")


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_accessible_in_light_and_dark(window: OpenWindow, url: str, state: str) -> None:
    page = window().page
    page.goto(f"{url}/{state}")
    open_checks(page)
    assert axe_violations_in_both_schemes(page) == []


def test_more_contrast_is_there_for_those_who_ask(window: OpenWindow, url: str) -> None:
    page = window().page
    page.emulate_media(contrast="more")
    page.goto(f"{url}/broken")
    colours = "() => [getComputedStyle(document.querySelector('.soft')).color, getComputedStyle(document.body).color]"
    soft, ink = page.evaluate(colours)
    assert soft == ink


def test_forced_colours_leave_the_charts_visible(window: OpenWindow, url: str) -> None:
    page = window(forced_colors="active").page
    page.goto(f"{url}/broken")
    fills = "() => ['.chart path', 'body'].map((each) => getComputedStyle(document.querySelector(each)))"
    chart, ground = page.evaluate(f"() => {{ const [a, b] = ({fills})(); return [a.fill, b.backgroundColor]; }}")
    assert chart != ground
    assert axe_violations(page) == []


# Elements whose content is wider than they are, or that reach over an edge of the screen; not those that are read aloud
# alone.
CUT = """() => [...document.querySelectorAll("body *")].filter((element) => {
  const {left, right, width} = element.getBoundingClientRect();
  return width > 1 && !element.closest(".sr, .skip, svg") && (left < 0 || right > innerWidth + 0.5);
}).map((element) => element.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_wider_than_the_screen(window: OpenWindow, url: str, width: int) -> None:
    page = window(viewport={"width": width, "height": 700}).page
    for state in STATES:
        page.goto(f"{url}/{state}")
        open_checks(page)
        assert page.evaluate(CUT) == [], state
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), state


def test_the_verdict_is_on_the_first_screen_of_a_phone(window: OpenWindow, url: str) -> None:
    page = window(viewport={"width": 390, "height": 664}).page
    page.goto(f"{url}/broken")
    expect(page.locator("#verdict")).to_be_in_viewport(ratio=1)
    expect(page.locator(".probe").nth(3)).to_be_in_viewport(ratio=1)


def test_in_print_the_checks_with_trouble_are_open_and_the_controls_are_gone(window: OpenWindow, url: str) -> None:
    page = window(color_scheme="dark").page
    page.goto(f"{url}/broken")
    page.emulate_media(media="print")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    expect(page.locator("#live")).to_be_hidden()
    expect(page.locator("#check-database .more")).to_be_visible()
    expect(page.locator("#check-cache .more")).to_be_hidden()
    expect(page.locator("#check-cache .name")).to_be_visible()


def test_a_thousand_checks_are_there_in_a_moment(window: OpenWindow, url: str) -> None:
    page = window().page
    page.goto(f"{url}/many")
    timing = page.evaluate("() => performance.getEntriesByType('navigation')[0].toJSON()")
    assert timing["domComplete"] < 5000  # 200 ms on a quiet machine
    assert timing["decodedBodySize"] < 500_000
    expect(page.locator(".check")).to_have_count(100)


def test_without_javascript_everything_is_there(window: OpenWindow, url: str) -> None:
    page = window(java_script_enabled=False).page
    page.goto(f"{url}/many")
    expect(page.locator("#verdict")).to_contain_text("Not ready since 13:40:30 UTC, 1 min")
    expect(page.locator("footer")).to_contain_text("Without JavaScript this page does not update itself. Reload")
    expect(page.locator("#live")).to_be_hidden()
    page.locator("summary").first.click()
    expect(page.locator(".check").first.locator(".more")).to_be_visible()
    expect(page.get_by_role("button", name="Filter")).to_be_visible()
    assert page.get_by_role("link", name="Next").get_attribute("href") == "?format=html&page=2#checks"
    page.goto(f"{url}/public")
    expect(page.locator("#sign-in")).to_be_hidden()


def test_every_control_is_reached_by_the_keyboard_and_shows_it(window: OpenWindow, url: str) -> None:
    page = window().page
    page.goto(f"{url}/broken")
    expect(page.locator("#live")).to_be_visible()
    reached: list[str] = []
    look = """() => {
      const {outlineStyle, outlineWidth} = getComputedStyle(document.activeElement);
      return [document.activeElement.textContent.trim().split(/\\s+/)[1] ?? document.activeElement.textContent.trim(),
        outlineStyle !== "none" && parseFloat(outlineWidth) >= 2];
    }"""
    for _ in range(16):
        page.keyboard.press("Tab")
        name, visible = page.evaluate(look)
        assert visible, name
        reached.append(name)
    assert reached[:7] == ["to", "Runbook", "Dashboard", "Pause", "fail", "warn", "pass"]
    assert [name for name in reached if name == "database"] == ["database"]
    page.locator("#check-database summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#check-database .more")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.locator("#check-database .more")).to_be_hidden()


def test_a_reader_skips_to_the_checks(window: OpenWindow, url: str) -> None:
    page = window().page
    page.goto(f"{url}/broken")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.url.endswith("#checks")


def test_times_are_in_the_zone_of_the_reader_with_the_iso_time_at_hand(window: OpenWindow, url: str) -> None:
    page = window(timezone_id="Asia/Tokyo").page
    page.clock.install(time=states.WALL)
    page.goto(f"{url}/broken")
    time = page.locator("#verdict time")
    expect(time).to_have_text("22:38:55")
    iso = time.get_attribute("datetime")
    assert iso == time.get_attribute("title")
    assert re.fullmatch(r"2026-11-28T13:38:55\.\d{3}Z", iso or "")
    page.get_by_role("button", name="Pause").click()
    page.clock.run_for(61_000)
    expect(page.locator("#verdict [data-since]")).to_have_text("4 min")


ELAPSED = (0.0, 59.0, 60.0, 3599.0, 3600.0, 3660.0, 86_399.0, 86_400.0, 90_000.0, 1e6)


def test_the_script_counts_elapsed_time_as_the_server_does(window: OpenWindow, url: str) -> None:
    page = window().page
    page.clock.install(time=states.WALL)
    page.goto(f"{url}/calm")
    page.get_by_role("button", name="Pause").click()  # a page without events is loaded again and again
    page.clock.pause_at(states.WALL + 10)
    for seconds in ELAPSED:
        # The script ticks once in the next second, when less than one more has passed.
        page.evaluate(
            "(ago) => { document.querySelector('#verdict [data-since]').dataset.since = Date.now() + 1 - ago; }",
            seconds * 1000,
        )
        page.clock.run_for(1000)
        expect(page.locator("#verdict [data-since]")).to_have_text(elapsed(seconds))


def test_the_page_asks_no_other_origin_for_anything(window: OpenWindow, url: str) -> None:
    opened = window()
    for state in STATES:
        opened.page.goto(f"{url}/{state}")
    assert all(each.startswith((f"{url}/", "data:image/svg+xml,")) for each in opened.requested), opened.requested


def test_a_browser_runs_no_script_and_no_style_but_those_of_the_page(window: OpenWindow, url: str) -> None:
    opened = window()
    page = opened.page
    page.goto(f"{url}/calm")
    added = """() => {
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
      const more = "<img src=x onerror='window.ran = true'><p style='color: red'>x</p>";
      document.body.insertAdjacentHTML("beforeend", more);
      return new Promise((resolve) => setTimeout(() => resolve(window.ran), 200));
    }"""
    assert page.evaluate(added) is None
    assert len([error for error in opened.errors if "Content Security Policy" in error]) >= 3
    opened.errors.clear()
