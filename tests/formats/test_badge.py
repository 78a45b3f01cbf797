"""The picture of a status: well-formed, still, readable without colour, and with text that stays text."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Probe, Status
from asgi_health.core.transition import Reason
from asgi_health.formats import badge as badge_module
from asgi_health.formats.answer import Answer
from asgi_health.formats.badge import badge, label_of

from ..support.core_cases import no_deadline
from ..support.format_cases import check_form

SVG = "{http://www.w3.org/2000/svg}"


def picture(answer: Answer) -> ET.Element:
    check_form(answer)
    headers = dict(answer.headers)
    assert headers[b"content-type"] == b"image/svg+xml"
    assert headers[b"content-security-policy"] == b"default-src 'none'"
    return ET.fromstring(answer.body)


@pytest.mark.parametrize(
    ("status", "reason", "word"),
    [
        (Status.HEALTHY, None, "pass"),
        (Status.DEGRADED, "check", "warn"),
        (Status.DEGRADED, "starting", "warn"),
        (Status.UNHEALTHY, "check", "fail"),
        (Status.UNHEALTHY, "stalled", "fail"),
        (Status.UNHEALTHY, "stopped", "fail"),
        (Status.UNHEALTHY, "starting", "starting"),
        (Status.UNHEALTHY, "draining", "draining"),
        (Status.UNHEALTHY, "maintenance", "maintenance"),
        (Status.DEGRADED, "maintenance", "warn"),
    ],
)
def test_the_word_says_the_status_or_the_phase(status: Status, reason: Reason | None, word: str) -> None:
    answer = badge("health", status, reason)
    root = picture(answer)
    assert answer.status == 200
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.findtext(f"{SVG}title") == f"health: {word}"
    assert [each.text for each in root.iter(f"{SVG}text")] == ["health", word]


def test_each_status_has_a_colour_of_its_own() -> None:
    answers = [badge("a", status) for status in Status] + [badge("a", Status.UNHEALTHY, "draining")]
    assert len({[*picture(each).iter(f"{SVG}rect")][1].get("fill") for each in answers}) == 4


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_white_text_can_be_read_on_every_colour() -> None:
    colours = {
        str(rect.get("fill"))
        for status in Status
        for reason in (None, "draining")
        for rect in picture(badge("a", status, reason)).iter(f"{SVG}rect")
    }
    assert len(colours) == 5
    assert all(1.05 / (luminance(colour) + 0.05) >= 5 for colour in colours), colours


def test_it_has_no_script_no_style_no_motion_and_no_address() -> None:
    root = picture(badge("health", Status.HEALTHY))
    assert {each.tag.removeprefix(SVG) for each in root.iter()} == {"svg", "title", "rect", "g", "text"}
    body = badge("health", Status.HEALTHY).body.replace(b'xmlns="http://www.w3.org/2000/svg"', b"")
    assert not [word for word in (b"http", b"href", b"url(", b"style", b" on") if word in body]


def test_the_texts_fit_into_the_width() -> None:
    for label in ("a", "health", "x" * 60):
        root = picture(badge(label, Status.UNHEALTHY, "starting"))
        rects, texts = list(root.iter(f"{SVG}rect")), list(root.iter(f"{SVG}text"))
        assert sum(int(rect.get("width", "")) for rect in rects) == int(root.get("width", ""))
        for rect, text in zip(rects, texts, strict=True):
            left = float(text.get("x", "")) - float(text.get("textLength", "")) / 2
            assert left >= float(rect.get("x", "0"))
            assert left + float(text.get("textLength", "")) <= float(rect.get("x", "0")) + float(rect.get("width", ""))


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ('"><svg onload="x">', '"><svg onload="x">'),
        ("a\x00b\x1b[31mc\u202ed", "abcd"),
        ("x" * 10_000, "x" * (badge_module.MAX_LABEL - 1) + "…"),
        ("]]>&amp;", "]]>&amp;"),
    ],
)
def test_a_hostile_label_is_text(label: str, shown: str) -> None:
    root = picture(badge(label, Status.HEALTHY))
    assert [each.text for each in root.iter(f"{SVG}text")] == [shown, "pass"]
    assert root.get("aria-label") == f"{shown}: pass"
    assert len(list(root.iter())) == 7


@no_deadline
@given(st.text(), st.sampled_from(Status))
def test_any_label_leaves_a_well_formed_picture(label: str, status: Status) -> None:
    assert len(list(picture(badge(label, status)).iter())) == 7


def test_the_label_names_the_probe_the_groups_or_the_check() -> None:
    assert label_of(Probe.HEALTH) == "health"
    assert label_of(Probe.READINESS) == "readiness"
    assert label_of(Probe.HEALTH, None, ("payments", "shop")) == "health payments, shop"
    assert label_of(Probe.READINESS, "database") == "database"
