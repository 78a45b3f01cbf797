"""The status page as bytes: its headers, what it contains, which checks it shows and in which order."""

from base64 import b64encode
from hashlib import sha256

import pytest

from asgi_health import Probe, Status, degraded, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.report import CheckReport
from asgi_health.formats.answer import Answer
from asgi_health.formats.page import (
    AppFacts,
    View,
    check_fragment,
    head_fragment,
    page,
    page_in_parts,
    public_page,
)

from ..support import page_states as states
from ..support.core_cases import check, serving_engine
from ..support.format_cases import check_form
from ..support.html_reader import Document, read_html

pytestmark = pytest.mark.xdist_group("page as bytes")  # an app with a day of history is made once


@pytest.fixture(scope="module")
def calm() -> Answer:
    return states.page_of(states.calm())


@pytest.fixture(scope="module")
def broken() -> Answer:
    return states.page_of(states.broken())


@pytest.fixture(scope="module")
def many() -> Engine:
    return states.many(1000)


def names(document: Document) -> list[str]:
    return [each.removeprefix("check-") for each in document.with_id("check-")]


# -- headers


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_browser_may_use_the_style_and_the_script_of_the_page_and_nothing_else(calm: Answer, signed_in: bool) -> None:
    answer = calm if signed_in else public_page(Status.HEALTHY)
    check_form(answer)
    headers = dict(answer.headers)
    policy = dict(each.split(" ", 1) for each in headers[b"content-security-policy"].decode().split("; "))
    raw = read_html(answer.body).raw
    for kind in ("style", "script"):
        (text,) = raw[kind]
        assert policy.pop(f"{kind}-src") == f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
    assert policy == {
        "default-src": "'none'",
        "img-src": "data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert headers[b"cross-origin-opener-policy"] == headers[b"cross-origin-resource-policy"] == b"same-origin"
    assert headers[b"content-type"] == b"text/html; charset=utf-8"


def test_the_page_is_answered_with_the_status_of_the_probe(calm: Answer, broken: Answer) -> None:
    assert (calm.status, broken.status) == (200, 503)


def test_the_page_has_less_than_60_kb_with_three_checks(calm: Answer) -> None:
    assert len(calm.body) < 60_000


def test_nothing_of_the_page_comes_from_elsewhere_and_nothing_is_inline(broken: Answer) -> None:
    document = read_html(broken.body)
    for element in document.elements:
        assert not any(name == "style" or name.startswith("on") for name in element.attributes), element
        assert element.tag not in ("img", "iframe", "object", "embed", "base", "video", "audio")
        for name in ("src", "action", "srcset", "poster"):
            assert element.attributes.get(name, "") == ""
    (icon,) = document.all("link")
    assert icon.attributes["href"].startswith("data:image/svg+xml,")
    (style,) = document.raw["style"]
    assert "url(" not in style
    assert "@import" not in style


# -- the app


def test_the_page_describes_the_service(broken: Answer) -> None:
    document = read_html(broken.body)
    description = "Orders and payments of the web shop. On call: team Checkout."
    assert document.text("service") == f"shop-api 4.2.0 · 9f3c2e1 {description}"
    links = [each.attributes["href"] for each in document.all("a") if "noreferrer" in each.attributes.get("rel", "")]
    assert links == list(states.SERVICE.links.values())


def test_the_page_of_an_app_without_a_description_is_called_health() -> None:
    document = read_html(states.page_of(states.calm(), None).body)
    assert document.text("service") == "Health"


def test_the_four_probes_have_their_status_and_their_uptime(broken: Answer) -> None:
    text = read_html(broken.body).text("head")
    for line in (
        "Live pass 200 for 23 h 59 min Up in the last day: 100 %",
        "Ready fail 503 for 3 min Up in the last day: 97.98 %",
        "Started pass 200 for 23 h 59 min Up in the last day: 99.99 %",
        "All checks fail 503 for 3 min Up in the last day: 97.98 %",
    ):
        assert line in text


def test_the_last_changes_have_their_cause(broken: Answer) -> None:
    text = read_html(broken.body).text("changes")
    assert "Ready warn → fail, database" in text
    assert "Started fail → pass, the app has started" in text


def test_a_change_of_the_reason_alone_is_no_change_of_the_status() -> None:
    engine = states.broken()
    engine.drain(states.NOW)
    assert "Ready still fail, " in read_html(states.page_of(engine, None).body).text("changes")


# -- the checks


def test_trouble_comes_first_and_then_the_names(broken: Answer) -> None:
    assert names(read_html(broken.body)) == [
        "database", "recommendations", "disk", "cache", "outbox", "payments", "search"
    ]  # fmt: skip


def test_a_check_below_its_threshold_comes_before_those_that_pass() -> None:
    engine = serving_engine(check("a"), check("b"))
    for now in (0.0, 5.0):
        for run in engine.due(now).start:
            failed = now == 5.0 and run.check.name == "b"
            engine.record(run, unhealthy("no") if failed else healthy(), now + 0.1)
        engine.due(now)
    now = engine.next_wake()
    for run in engine.due(now).start:
        engine.record(run, unhealthy("no") if run.check.name == "b" else healthy(), now)
    document = read_html(at(engine, now))
    assert names(document) == ["b", "a"]
    assert "1 of 3 failures" in document.text("check-b")


def at(engine: Engine, now: float, view: View | None = None) -> bytes:
    report = engine.report(Probe.HEALTH, now, history=True)
    facts = AppFacts(tuple(engine.summarize(probe, now) for probe in Probe))
    return page(report, None, wall=states.WALL, facts=facts, view=view).body


def test_an_opened_check_says_everything_about_it() -> None:
    everything = check(
        "disk", interval=30.0, retry_interval=5.0, timeout=3.0, failure_threshold=4, success_threshold=2, critical=False
    )
    engine = serving_engine(everything)
    (run,) = engine.due(0.0).start
    engine.record(run, degraded("91 % full", data={"used": (91.25, "%"), "inodes": 12_345_678}), 0.25)
    text = read_html(at(engine, 65.0)).text("check-disk")
    for part in (
        "91 % full", "optional", "1 min", "250 ms", "0 of 4 failures in a row", "readiness", "all 1 passed",
        "250 ms to 250 ms, median 250 ms", "100 % in the last hour, 100 % in the last day", "used 91.25 %",
        "inodes 12,345,678", "every 30 s, after a failure 5 s", "timeout 3 s, stale after 93 s",
        "fails after 4, passes after 2", "only warns: the check is not critical", "first result → warn",
    ):  # fmt: skip
        assert part in text, part


def test_a_check_without_a_result_and_a_stale_one_are_not_shown_as_passing() -> None:
    engine = serving_engine(check("waits"), check("stale"))
    runs = {run.check.name: run for run in engine.due(0.0).start}
    engine.record(runs["stale"], healthy(), 0.1)
    document = read_html(at(engine, 500.0))
    looks = {each.attributes["id"]: each.attributes["class"] for each in document.all("li") if "id" in each.attributes}
    assert looks == {"check-stale": "check fail", "check-waits": "check none"}
    assert document.text("check-stale").startswith("stale")
    assert document.text("check-waits").startswith("waiting")


# -- search, filter and pages


def test_a_thousand_checks_are_shown_by_hundreds(many: Engine) -> None:
    first, last, beyond = (read_html(states.page_of(many, view=View(page=page)).body) for page in (1, 10, 99))
    assert len(names(first)) == len(names(last)) == 100
    assert not set(names(first)) & set(names(last))
    assert names(beyond) == names(last)
    assert first.text("pages") == "PreviousPage 1 of 10Next"
    assert {each.attributes["href"] for each in first.all("a") if each.attributes.get("rel") == "next"} == {
        "?format=html&page=2#checks"
    }


@pytest.mark.parametrize(
    ("view", "found"),
    [
        (View(search="SHOP-0002"), ["shop-0002"]),
        (View(search="errno 111", status="fail"), 11),
        (View(status="warn"), 10),
        (View(groups=frozenset({"group 3"}), search="shop"), 47),
        (View(search="no such name"), 0),
    ],
    ids=str,
)
def test_checks_are_found_by_name_message_status_and_group(many: Engine, view: View, found: int | list[str]) -> None:
    shown = names(read_html(states.page_of(many, view=view).body))
    assert (shown if isinstance(found, list) else len(shown)) == found


def test_the_form_keeps_what_the_reader_has_chosen(many: Engine) -> None:
    view = View('"><b>', "warn", frozenset({"group 3"}))
    document = read_html(states.page_of(many, view=view).body)
    (search,) = [each for each in document.all("input") if each.attributes["type"] == "search"]
    chosen = [each.attributes["value"] for each in document.all("option") if "selected" in each.attributes]
    assert (search.attributes["value"], chosen) == ('"><b>', ["warn", "group 3"])
    assert document.text("found") == "0 of 1,000 checks"


def test_the_pages_of_a_search_keep_the_search(many: Engine) -> None:
    document = read_html(states.page_of(many, view=View("shop", "pass", page=2)).body)
    links = {each.attributes.get("rel"): each.attributes["href"] for each in document.all("a")}
    assert links["prev"] == "?format=html&search=shop&status=pass&page=1#checks"
    assert links["next"] == "?format=html&search=shop&status=pass&page=3#checks"
    assert View("a&b ü", groups=frozenset({"x y"})).query(2) == "?format=html&search=a%26b+%C3%BC&group=x+y&page=2"


def test_a_few_checks_need_no_search(calm: Answer) -> None:
    assert read_html(calm.body).with_id("filter") == []


def test_the_past_is_read_of_the_checks_on_the_page_alone(many: Engine) -> None:
    asked: list[str] = []

    def with_past(check: CheckReport) -> CheckReport:
        asked.append(check.name)
        return check

    report, facts = many.report(Probe.HEALTH, states.NOW), states.facts_of(many)
    parts = list(page_in_parts(report, None, wall=states.WALL, facts=facts, with_past=with_past))
    assert len(asked) == 100
    assert len(parts) > 100


# -- fragments


def test_a_fragment_is_the_element_of_the_page() -> None:
    engine = states.broken()
    report, body = states.report_of(engine), states.page_of(engine).body.decode()
    assert head_fragment(report, states.facts_of(engine), wall=states.WALL) != ""
    for each in report.checks:
        assert check_fragment(each, now=states.NOW, wall=states.WALL) in body
    document = read_html(head_fragment(report, states.facts_of(engine), wall=states.WALL))
    assert [each.attributes["id"] for each in document.elements if "id" in each.attributes and not each.path] == [
        "head", "counts", "changes"
    ]  # fmt: skip


# -- readers without leave


@pytest.mark.parametrize("status", Status)
def test_the_public_page_says_the_status_and_nothing_else(status: Status) -> None:
    answer = public_page(status)
    assert answer.status == (503 if status is Status.UNHEALTHY else 200)
    word = {Status.HEALTHY: "pass", Status.DEGRADED: "warn", Status.UNHEALTHY: "fail"}[status]
    assert f"The service answers {word}." in read_html(answer.body).text()


def test_the_public_page_says_the_phase() -> None:
    assert "fail: draining" in read_html(public_page(Status.UNHEALTHY, "draining").body).text()
    assert public_page(Status.UNHEALTHY, "check") == public_page(Status.UNHEALTHY)


def test_the_form_for_the_token_has_no_name_and_no_address() -> None:
    document = read_html(public_page(Status.HEALTHY).body)
    (form,), (field,) = document.all("form"), document.all("input")
    assert not {"action", "method"} & form.attributes.keys()
    assert "hidden" in form.attributes
    assert "name" not in field.attributes
    assert field.attributes["type"] == "password"


def test_a_browser_signs_in_with_a_password_where_that_is_possible() -> None:
    assert "?signin" not in public_page(Status.HEALTHY).body.decode()
    links = read_html(public_page(Status.HEALTHY, sign_in=True).body).all("a")
    assert [each.attributes["href"] for each in links] == ["?signin"]
