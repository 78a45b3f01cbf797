"""Hostile texts on the page: whatever a check, the app or a reader sends is text, and a link leads to http or https."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Probe, ServiceInfo, degraded
from asgi_health.formats.page import AppFacts, LastStall, View, page

from ..support.core_cases import check, no_deadline, serving_engine
from ..support.html_reader import Document, read_html

ATTACKS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "<!--",
    "]]><![CDATA[",
    "&lt;b&gt;&#60;b&#62;",
    "javascript:alert(1)",
    "\u202egnp.exe\u2066\u2069\u200f",
    "\x1b[31mred\x1b[0m\x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "\x00\x07\x08\x7f\x9b31m",
    "\ud800 lone \udfff",
    "x" * 10_000,
    "\u0301" * 500,
    "{{7*7}} ${7*7} <%= 7*7 %>",
)
attacks = st.sampled_from(ATTACKS) | st.text(max_size=50) | st.lists(st.sampled_from(ATTACKS), max_size=3).map("".join)
sendable = attacks.map(lambda text: text.encode("utf-8", "replace").decode())


def render(text: str, url: str = "https://example.com", **view: str) -> tuple[bytes, Document]:
    """Return a page that has `text` at each place of a foreign text."""
    plain = text.encode("utf-8", "replace").decode()
    group = "".join(char for char in plain if char.isprintable() and char != "@")[:100].strip() or None
    engine = serving_engine(check("a", group=group))
    (run,) = engine.due(0.0).start
    engine.record(run, degraded(text, data={text: (text, text), "n": (1, text)}), 0.1)
    service = ServiceInfo(plain or "x", plain, plain, plain, links={plain: url, "other": plain}, notes=(plain,))
    facts = AppFacts(tuple(engine.summarize(probe, 1.0) for probe in Probe), 0.0, LastStall(0.5, text))
    report = engine.report(Probe.HEALTH, 1.0, history=True)
    answer = page(report, service, wall=1.8e9, facts=facts, view=View(**{"search": text, **view}))  # type: ignore[arg-type]
    return answer.body, read_html(answer.body)


def shape(document: Document) -> list[tuple[str, tuple[str, ...]]]:
    """Return the elements of a document, and the names of their attributes."""
    return [(each.tag, tuple(each.attributes)) for each in document.elements]


HARMLESS = shape(render("a harmless text")[1])


def check_harmless(document: Document) -> None:
    scripts = [each for each in document.elements if each.tag in ("script", "style")]
    assert [each.path for each in scripts] == [("html", "head"), ("html", "body")]
    for element in document.elements:
        assert element.tag in {tag for tag, _ in HARMLESS} | {
            "label",
            "select",
            "form",
            "input",
            "option",
            "button",
            "p",
        }
        assert not any(name.startswith("on") or name == "style" for name in element.attributes), element
        target = element.attributes.get("href", "?")
        assert target.startswith(("?", "#", "https://", "http://", "data:image/svg+xml,")) or target == "", element


@pytest.mark.parametrize("text", ATTACKS, ids=range(len(ATTACKS)))
def test_known_attacks_are_text(text: str) -> None:
    for view in ({}, {"search": ""}):
        body, document = render(text, **view)
        check_harmless(document)
        assert len(body) < 90_000
        for invisible in ("\u202e", "\u2066", "\x1b", "\x00", "\x9b"):
            assert invisible not in body.decode()


@no_deadline
@given(sendable, sendable)
def test_any_text_is_text(text: str, url: str) -> None:
    check_harmless(render(text, url, search="")[1])


@no_deadline
@given(st.text(max_size=20))
def test_the_text_is_there_as_it_is(text: str) -> None:
    visible = " ".join("".join(char for char in text if char.isalnum() or char in "<>&\"'").split())
    _, document = render(f"<{visible}>", search="")
    assert f"<{visible}>" in document.text("check-a")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)",
        "\x01javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd",
        "//evil.example", "/relative", "http:", "https://", "http://[::1", "https://x y", "https://example.com/\n",
        "https://example.com/" + "x" * 3000, "",
    ],
)  # fmt: skip
def test_a_link_that_is_not_plain_http_or_https_is_text(url: str) -> None:
    document = render("Runbook", url)[1]
    assert [each for each in document.all("a") if "noopener" in each.attributes.get("rel", "")] == []
    assert "Runbook" in document.text()


@pytest.mark.parametrize(
    "url", ["https://example.com/?a=1&b=%22", "HTTP://EXAMPLE.COM", "http://[::1]:8000/x", 'https://x/"onx=1']
)
def test_a_link_to_http_or_https_is_a_link(url: str) -> None:
    (link,) = [each for each in render("Runbook", url)[1].all("a") if "noopener" in each.attributes.get("rel", "")]
    assert link.attributes == {"href": url, "rel": "noopener noreferrer"}


def test_a_text_has_its_own_direction_of_writing() -> None:
    body, _ = render("קישור נדחה", search="")
    assert body.decode().count("<bdi>קישור נדחה</bdi>") >= 6


def test_credentials_in_a_message_are_masked() -> None:
    _, document = render("postgres://shop:hunter2@db/shop refused", search="")
    assert "postgres://***@db/shop refused" in document.text("check-a")
    for part in ("rows", "head", "changes"):
        # The group is a name that the app has chosen, as are the fields of the service.
        assert "hunter2@" not in document.text(part)


def test_a_search_finds_no_credentials() -> None:
    secret = "postgres://shop:hunter2@db/shop refused"
    engine = serving_engine(check("a"))
    (run,) = engine.due(0.0).start
    engine.record(run, degraded(secret), 0.1)
    report = engine.report(Probe.HEALTH, 1.0)
    assert len(View(search="refused").select(report.checks).shown) == 1
    assert View(search="hunter").select(report.checks).shown == ()
