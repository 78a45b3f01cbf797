"""Which clients get HTML: those that prefer it, by RFC 9110 (12.5.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health.formats.accept import MAX_ACCEPT, media_ranges, prefers_html

from ..support.core_cases import no_deadline

CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SAFARI = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
BROWSERS = (CHROME, FIREFOX, SAFARI, "text/html", "TEXT/HTML", "text/html, */*;q=0.1", "*/*;q=0.5 , text/html;q=0.6")
OTHERS = (
    *("", "*/*", "application/json", "application/health+json", "text/plain", "text/*", "application/json, text/html"),
    *("text/html, */*", "text/html, application/*", "text/html;q=0, */*", "text/html;q=0.5, application/json"),
    "text/html;q=0.9, application/health+json;q=0.9",
    "text/html;q=nonsense",
    "text/html;q=2",
    "text/html;q=-1",
    "text/html;q=",
    "text/htmlx",
    "x-text/html",
    "application/json, text/plain, */*",  # axios
    "*/*;q=0.8, text/html;q=0.3",
)


@pytest.mark.parametrize("accept", BROWSERS)
def test_browsers_prefer_html(accept: str) -> None:
    assert prefers_html(accept)


@pytest.mark.parametrize("accept", OTHERS)
def test_clients_that_take_json_as_gladly_do_not(accept: str) -> None:
    assert not prefers_html(accept)


def test_a_range_that_is_more_specific_counts_before_a_wider_one() -> None:
    assert prefers_html("text/html;q=0.5, application/json;q=0.4, application/health+json;q=0.4, */*;q=0.9")
    assert not prefers_html("text/html;q=0.5, application/json;q=0.6, */*;q=0.1")


def test_the_weight_is_not_a_parameter_of_the_range() -> None:
    assert list(media_ranges("text/html;level=1;q=0.5,*/*")) == [
        ("text/html", {"level": "1"}, 0.5),
        ("*/*", {}, 1.0),
    ]


def test_a_header_that_is_too_long_is_not_read() -> None:
    assert not prefers_html("text/html," * MAX_ACCEPT)


@no_deadline
@given(st.text(alphabet="texhml/*;q=0.1, \x00é"))
def test_no_header_fails(accept: str) -> None:
    prefers_html(accept)
    list(media_ranges(accept))
