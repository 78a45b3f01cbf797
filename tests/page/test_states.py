"""The page in each state of an app: what it says, how it looks, and that every reader can use it."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from asgi_health import Status
from asgi_health.core.report import Stall
from asgi_health.formats.page import LastStall, View, public_page

from ..support import page_states as states
from .chromium import Window, axe_violations
from .site import served, static

WIDTHS = (320, 390, 768, 1280)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Return the address of a server with a page for each state."""
    calm, broken, many = states.calm(), states.broken(), states.many()
    blocked_facts = states.facts_of(
        calm, loop_lag=12.0, last_stall=LastStall(states.NOW - 11.0, "load (/srv/shop/reports.py:41)")
    )
    pages = {
        "/calm": states.page_of(calm),
        "/broken": states.page_of(broken),
        "/degraded": states.page_of(states.degraded_only()),
        "/starting": states.page_of(states.starting()),
        "/draining": states.page_of(states.draining()),
        "/blocked": states.page_of(calm, facts=blocked_facts, stall=Stall(12.3, 5.0)),
        "/many": states.page_of(many),
        "/found": states.page_of(many, view=View(search="shop", status="fail")),
        "/none": states.page_of(many, view=View(search="nothing has this name")),
        "/nothing": states.page_of(states.play(), None),
        "/public": public_page(Status.UNHEALTHY, "draining", sign_in=True),
    }
    with served(static(pages)) as port:
        yield f"http://127.0.0.1:{port}"


STATES = ("calm", "broken", "degraded", "starting", "draining", "blocked", "many", "found", "none", "nothing", "public")


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_accessible_in_light_and_dark(window: Callable[..., Window], url: str, state: str) -> None:
    for scheme in ("light", "dark"):
        page = window(color_scheme=scheme).page
        page.goto(f"{url}/{state}")
        open_all(page)
        assert axe_violations(page) == []


def open_all(page: Page) -> None:
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
