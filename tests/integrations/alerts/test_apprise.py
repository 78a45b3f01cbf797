"""Apprise targets against real receivers: HTTP that hangs, refuses, fails and recovers, and a mail server."""

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from asgi_health import Check, Health, Status
from asgi_health.integrations.alerts import Alerts, DeliveryError
from asgi_health.integrations.alerts import outbox as waiting_news
from asgi_health.integrations.alerts.apprise_target import AppriseTarget
from asgi_health.integrations.alerts.incidents import Entry, Problem, State
from asgi_health.integrations.alerts.message import Message
from asgi_health.integrations.alerts.render import Sender, render, render_test
from tests.support.waiting import wait_until

from .playing import FAIL, WARN
from .raw_receiver import Answer, RawReceiver, hang, raw_receiver, status
from .test_alerts import QUICK, Switch, serving

SECRET = "hunter2-s3cret"


def message(title: str = "A title", text: str = "A text\nof two lines") -> Message:
    return replace(render_test(Sender.of("shop", "web-1", 1), id="1", wall=0.0), title=title, text=text)


def json_url(port: int, query: str = "") -> str:
    return f"json://user:{SECRET}@127.0.0.1:{port}/{SECRET}/hook?format=text&{query}"


def bodies(receiver: RawReceiver) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in receiver.received]


@contextmanager
def receiver_of(answer: Answer) -> Iterator[tuple[RawReceiver, AppriseTarget]]:
    with raw_receiver(answer) as receiver:
        yield receiver, AppriseTarget(json_url(receiver.port))


def failure(target: AppriseTarget, timeout: float = 5.0) -> str:
    with pytest.raises(DeliveryError) as caught:
        target.send(message(), timeout)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# -- one message


def test_title_text_and_kind_arrive() -> None:
    with receiver_of(status(200)) as (receiver, target):
        target.send(message(), 5.0)
    (body,) = bodies(receiver)
    assert (body["title"], body["message"], body["type"]) == ("A title", "A text\nof two lines", "info")


def entry(subject: str, severity: Status, state: State = "open") -> Entry:
    return Entry(subject, state, Problem(severity, "check", "bad", 0.0), 0.0, 1.0 if state == "recovered" else None)


@pytest.mark.parametrize(
    ("entries", "still_open", "expected"),
    [
        ([entry("a", FAIL), entry("b", WARN)], ["a", "b"], "failure"),
        ([entry("a", WARN), entry("b", FAIL, "recovered")], ["a"], "warning"),
        ([entry("a", FAIL, "flapping")], ["a"], "warning"),
        ([entry("a", FAIL, "recovered")], [], "success"),
        ([entry("a", FAIL, "recovered")], ["b"], "info"),
    ],
)
def test_the_type_of_a_notification_is_a_success_only_where_everything_is_over(
    entries: list[Entry], still_open: list[str], expected: str
) -> None:
    news = render(entries, still_open, Sender.of("shop", "web-1", 1), id="1", now=2.0, wall=0.0)
    with receiver_of(status(200)) as (receiver, target):
        target.send(news, 5.0)
    assert bodies(receiver)[0]["type"] == expected


def test_mentions_of_a_whole_channel_notify_no_one() -> None:
    with receiver_of(status(200)) as (receiver, target):
        target.send(message("@here fails", "refused by <!channel>, <@U123>: @everyone ops@all.example"), 5.0)
    (body,) = bodies(receiver)
    for mention in ("@here", "<!", "<@", "@everyone", "@all"):
        assert mention not in body["title"] + body["message"]
    assert "@\N{ZERO WIDTH SPACE}everyone" in body["message"]


@pytest.mark.parametrize("code", [401, 404, 500, 503])
def test_a_status_that_is_no_success_is_a_failure(code: int) -> None:
    with receiver_of(status(code)) as (_, target):
        assert f"error={code}" in failure(target)


def test_a_receiver_that_refuses_the_connection_is_a_failure() -> None:
    assert "Connection error" in failure(AppriseTarget(json_url(unused_port())))


def test_a_receiver_that_hangs_is_a_failure_within_the_timeout() -> None:
    with receiver_of(hang) as (receiver, target):
        assert "Connection error" in failure(target, timeout=0.4)
        receiver.answer = status(200)
        target.send(message(), 5.0)  # the short timeout was that of one message


def test_the_timeouts_of_the_url_apply_where_they_are_shorter() -> None:
    with raw_receiver(hang) as receiver:
        failure(AppriseTarget(json_url(receiver.port, "rto=0.2")), timeout=60.0)


def test_no_thread_is_started_that_the_exit_waits_for() -> None:
    before = set(threading.enumerate())
    with receiver_of(status(200)) as (receiver, target):
        known = set(threading.enumerate())
        target.send(message(), 5.0)
        new = {each for each in set(threading.enumerate()) - known if each.name.startswith("ThreadPool")}
    assert new == set()
    assert len(receiver.received) == 1
    assert before <= known


def test_tries_leave_no_line_in_the_log_of_the_app_and_other_uses_of_apprise_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from apprise import Apprise

    with caplog.at_level(1), receiver_of(status(500)) as (receiver, target):
        failure(target)
        assert not [record for record in caplog.records if record.name == "apprise"]
        assert not Apprise(f"json://127.0.0.1:{receiver.port}").notify(body="another use of Apprise")
    assert [record for record in caplog.records if record.name == "apprise"]


# -- mail


class Mailbox:
    """What a mail server has received."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        self.mails.append(content if isinstance(content, bytes) else str(content).encode())
        return "250 OK"


@contextmanager
def mail_server(mailbox: Mailbox) -> Iterator[int]:
    """Serve in the event loop of a thread, and yield the port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def serve() -> asyncio.Server:
        return await loop.create_server(lambda: SMTP(mailbox, hostname="mail.test", loop=loop), "127.0.0.1", 0)

    async def close(server: asyncio.Server) -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(serve(), loop).result(10)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(close(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_mail_has_the_title_as_its_subject_and_the_text_as_text() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        url = f"mailto://127.0.0.1:{port}?from=health@shop.test&to=ops@shop.test&smtp=127.0.0.1&mode=insecure"
        AppriseTarget(url).send(message("FAIL: database", "- database: <b>refused</b> & more"), 5.0)
    (content,) = mailbox.mails
    mail = message_from_bytes(content, policy=policy.default)
    assert mail["Subject"] == "FAIL: database"
    assert mail["To"] == "ops@shop.test"
    assert mail["From"] == "health@shop.test"
    body = mail.get_body(("html", "plain"))
    assert body is not None
    is_html = body.get_content_subtype() == "html"  # up to Apprise 2.2
    expected = "&lt;b&gt;refused&lt;/b&gt; &amp; more" if is_html else "<b>refused</b> & more"
    assert expected in body.get_content().replace("&nbsp;", " ")


# -- through an app


def test_an_alert_survives_a_receiver_that_refuses_fails_hangs_and_recovers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(waiting_news, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(waiting_news, "MAX_PAUSE", 0.1)
    database = Switch(broken=True)
    mailbox = Mailbox()
    with raw_receiver(status(500)) as receiver, mail_server(mailbox) as port, caplog.at_level(logging.INFO):
        mail = f"mailto://127.0.0.1:{port}?from=health@shop.test&to=ops@shop.test&smtp=127.0.0.1&mode=insecure"
        alerts = Alerts([json_url(receiver.port, "rto=0.2"), mail], wait=0.05, service="shop")
        with serving(Health([Check("database", database, **QUICK)]), alerts):
            wait_until(lambda: len(mailbox.mails) == 1, "mail is delivered all the same")
            receiver.wait_for(3)
            receiver.answer = hang
            tries = len(receiver.received)
            receiver.wait_for(tries + 2)
            statistics = alerts.statistics()
            assert [each.name for each in statistics] == ["json://127.0.0.1", "mailto://127.0.0.1"]
            assert statistics[0].failed >= 3
            assert (statistics[0].sent, statistics[1].sent) == (0, 1)
            receiver.answer = status(204)
            wait_until(lambda: alerts.statistics()[0].sent == 1, "it is delivered")
            database.broken = False
            wait_until(lambda: [each.sent for each in alerts.statistics()] == [2, 2], "the recovery is delivered")
    assert len(mailbox.mails) == 2
    alert, recovery = bodies(receiver)[-2:]
    assert (alert["title"], alert["type"]) == ("FAIL: database (shop)", "failure")
    assert (recovery["title"], recovery["type"]) == ("OK: database (shop)", "success")
    assert "***" in alert["message"]
    assert "hunter2" not in caplog.text.replace("shop:hunter2@db", "")
    assert sum("has not accepted a message" in record.getMessage() for record in caplog.records) == 1


# -- URLs


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"slack://{SECRET}/tokenB", "alerts: Apprise does not take a URL slack://...: .*Token"),
        (f"unknown://{SECRET}", "alerts: Apprise does not take a URL unknown://...: .*expected the URL of a service"),
        (f"mailto://ops:{SECRET}@", "alerts: Apprise does not take a URL mailto://..."),
        (
            f"json://a/{SECRET}, json://b/{SECRET}",
            "alerts: Apprise does not take a URL json://...: it holds several URLs",
        ),
        (SECRET, "alerts: a target must be a URL of Apprise such as"),
        ("", "alerts: a target must be a URL of Apprise such as"),
    ],
)
def test_a_url_that_apprise_does_not_take_is_an_error_without_its_secrets(
    url: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(1), pytest.raises(ValueError, match=reason) as caught:
        Alerts([url])
    assert SECRET not in str(caught.value)
    assert SECRET not in caplog.text


def test_names_show_the_host_only_where_it_is_no_token() -> None:
    slack = AppriseTarget("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general")
    assert repr(slack) == "AppriseTarget('slack')"
    assert AppriseTarget(f"jsons://user:{SECRET}@hooks.shop.test/x").name == "jsons://hooks.shop.test"


def test_texts_are_cut_to_the_limit_of_a_service_unless_the_url_says_otherwise() -> None:
    discord = "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"
    for url, mode in ((discord, "truncate"), (f"{discord}?overflow=split", "split")):
        (service,) = AppriseTarget(url)._apprise
        assert str(getattr(service.overflow_mode, "value", service.overflow_mode)) == mode
