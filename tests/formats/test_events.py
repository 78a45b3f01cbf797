"""Server-sent events as text: no data can end an event or begin another."""

import pytest

from asgi_health.formats.events import HEARTBEAT, event, retry


def test_an_event_has_a_name_an_id_and_its_data() -> None:
    assert event("check", "<p>a</p>", id="x-1") == b"event: check\nid: x-1\ndata: <p>a</p>\n\n"


def test_without_an_id_the_client_keeps_that_of_the_event_before() -> None:
    assert b"id" not in event("check", "a")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"], ids=["LF", "CR", "CRLF"])
def test_data_of_several_lines_cannot_begin_another_event(end: str) -> None:
    data = f"a{end}{end}event: forged{end}data: b"
    assert event("check", data) == b"event: check\ndata: a\ndata: \ndata: event: forged\ndata: data: b\n\n"


def test_other_separators_of_lines_are_text() -> None:
    assert event("check", "a\x0b\x85\u2028b") == "event: check\ndata: a\x0b\x85\u2028b\n\n".encode()


def test_a_lone_surrogate_is_replaced() -> None:
    assert event("check", "a\ud800") == b"event: check\ndata: a?\n\n"


def test_empty_data_is_an_event_too() -> None:
    assert event("checks", "") == b"event: checks\ndata: \n\n"


def test_the_pause_and_the_heartbeat_are_no_events() -> None:
    assert retry(2000) == b"retry: 2000\n\n"
    assert HEARTBEAT.startswith(b":")
