"""The options of the status page in the query of a request, and what is said about values that do not exist."""

import pytest

from asgi_health import HealthMiddleware, healthy, unhealthy

from ..support.asgi_caller import Reply, echo_nothing, get
from ..support.html_reader import Document, read_html
from ..support.known_state import Clock, health_with, make_check


@pytest.fixture
def app() -> HealthMiddleware:
    health = health_with(
        Clock(),
        (make_check("orders", group="shop"), healthy()),
        (make_check("search", group="shop", critical=False), unhealthy("no shards")),
        (make_check("cards", group="payments"), unhealthy("refused")),
    )
    return HealthMiddleware(echo_nothing, health, details=True)


def read(app: HealthMiddleware, query: bytes, path: str = "/health") -> tuple[Reply, Document]:
    reply = get(app, path, b"format=html&" + query).check_form()
    return reply, read_html(reply.body)


def checks(document: Document) -> list[str]:
    return [each.removeprefix("check-") for each in document.with_id("check-")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", ["cards", "search", "orders"]),
        (b"search=SHARDS", ["search"]),
        (b"search=or", ["orders"]),
        (b"status=fail", ["cards", "search"]),
        (b"status=pass", ["orders"]),
        (b"group=shop", ["search", "orders"]),
        (b"group=shop&group=payments&status=fail", ["cards", "search"]),
        (b"search=&status=&group=&page=", ["cards", "search", "orders"]),
        (b"page=7", ["cards", "search", "orders"]),
        (b"exclude=cards", ["search", "orders"]),
    ],
)
def test_the_options_choose_the_checks_that_are_shown(app: HealthMiddleware, query: bytes, expected: list[str]) -> None:
    assert checks(read(app, query)[1]) == expected


def test_a_group_decides_the_status_code_and_leaves_the_rest_of_the_page(app: HealthMiddleware) -> None:
    whole, shop = read(app, b""), read(app, b"group=shop")
    assert (whole[0].status, shop[0].status) == (503, 200)
    assert shop[1].text("verdict") == whole[1].text("verdict")
    options = [each.attributes["value"] for each in shop[1].all("option")]
    assert options == ["", "fail", "warn", "pass", "", "payments", "shop"]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (b"status=failed", "status: not known; did you mean fail? expected fail, warn or pass"),
        (b"status=<b>", "status: not known; expected fail, warn or pass"),
        (b"page=0", "page: not a page; expected a number from 1"),
        (b"page=-1", "page: not a page; expected a number from 1"),
        (b"page=one", "page: not a page; expected a number from 1"),
        (b"page=" + b"9" * 5000, "the query has more than 4096 bytes"),
        (b"searches=x", "option: not known; did you mean search?"),
    ],
)
def test_values_that_do_not_exist_are_named(app: HealthMiddleware, query: bytes, problem: str) -> None:
    reply = get(app, "/health", b"format=html&" + query).check_form()
    assert reply.status == 400
    assert problem in reply.text


@pytest.mark.parametrize("option", [b"search=x", b"status=fail", b"page=2"])
def test_in_another_format_the_options_of_the_page_are_a_mistake(app: HealthMiddleware, option: bytes) -> None:
    for format_ in (b"", b"&format=json", b"&format=text", b"&explain"):
        reply = get(app, "/health", option + format_)
        assert reply.status == 400
        assert reply.text == "option: search, status or page is for the page alone; expected format=html\n"


def test_a_prober_may_send_any_option(app: HealthMiddleware) -> None:
    assert get(app, "/readyz", b"status=nonsense&page=x").body == b'{"status":"fail"}'


def test_a_page_says_where_its_events_are_and_which_state_it_shows(app: HealthMiddleware) -> None:
    (main,) = read(app, b"")[1].all("main")
    assert main.attributes["data-events"] == "/health/events"
    assert {"/health", "/healthz", "/readyz"} <= set(main.attributes["data-pages"].split())
    assert main.attributes["data-event-id"]


@pytest.mark.parametrize(("path", "query"), [("/readyz", b""), ("/health", b"exclude=cards")])
def test_a_page_without_some_of_the_checks_has_no_events_which_are_those_of_all(
    app: HealthMiddleware, path: str, query: bytes
) -> None:
    (main,) = read(app, query, path)[1].all("main")
    assert "data-events" not in main.attributes
