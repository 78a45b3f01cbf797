"""`alert test` sends to each target of an app, and says which of them has accepted the message."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..integrations.alerts.raw_receiver import RawReceiver, hang, raw_receiver, status
from .command import Completed, run

PRELUDE = """
import contextlib, os, sys, time
from asgi_health import Health, HealthMiddleware
from asgi_health.integrations.alerts import Alerts, DeliveryError, Ping, Webhook

async def plain(scope, receive, send):
    open("started", "w").close()

URL = os.environ.get("RECEIVER", "http://127.0.0.1:9/")

class Target:
    def __init__(self, name, act):
        self.name, self.act = name, act
    def send(self, message, timeout):
        self.act()
def fail(error):
    raise error
"""
SENT = "sent in N ms"


@pytest.fixture
def receiver() -> Iterator[RawReceiver]:
    with raw_receiver(status(204)) as opened:
        yield opened


def alert_test(folder: Path, code: str, *arguments: str, receiver: RawReceiver | None = None) -> Completed:
    """Write the module `shop`, and run the command in its folder."""
    (folder / "shop.py").write_text(PRELUDE + code)
    environment = {"no_proxy": "127.0.0.1"} | ({} if receiver is None else {"RECEIVER": receiver.url("/T0K3N")})
    return run("alert", "test", *(arguments or ("shop:app",)), cwd=folder, env=environment)


def outcomes(completed: Completed) -> list[tuple[str, str]]:
    """Return name and outcome of each line, without durations and ports."""
    lines = [re.sub(r"127\.0\.0\.1:\d+", "HOST", line) for line in completed.out.splitlines()]
    return [(found[0], re.sub(r"\d+ ms", "N ms", found[1])) for found in (re.split(r" {2,}", each) for each in lines)]


APPS = {
    "around": 'app = HealthMiddleware(plain, integrations=[Ping(URL), Alerts([Webhook(URL, name="hook")])])',
    "added to FastAPI": "from fastapi import FastAPI\napp = FastAPI()\n"
    'app.add_middleware(HealthMiddleware, integrations=[Alerts([Webhook(URL, name="hook")])])',
    "made by a factory": "def app():\n"
    '    return HealthMiddleware(plain, integrations=[Alerts([Webhook(URL, name="hook")])])',
    "twice around one app": 'alerts = Alerts([Webhook(URL, name="hook")])\nhealth = Health()\n'
    "app = HealthMiddleware(HealthMiddleware(plain, health, integrations=[alerts]), health, integrations=[alerts])",
    "the alerts themselves": 'app = Alerts([Webhook(URL, name="hook")])',
}


@pytest.mark.parametrize("kind", APPS)
def test_the_alerts_are_found_and_each_target_gets_one_message(
    kind: str, tmp_path: Path, receiver: RawReceiver
) -> None:
    name = "shop:app()" if "factory" in kind else "shop:app"
    completed = alert_test(tmp_path, APPS[kind], name, receiver=receiver)
    assert (completed.code, completed.err, outcomes(completed)) == (0, "", [("hook", SENT)])
    (request,) = receiver.received
    body = json.loads(request.body)
    assert (body["type"], body["data"]["kind"], body["data"]["incidents"]) == ("health.test", "test", [])
    assert "This is a test. Nothing is wrong." in body["data"]["text"]
    assert not (tmp_path / "started").exists()


def test_the_message_has_the_given_text_without_credentials(tmp_path: Path, receiver: RawReceiver) -> None:
    code = 'app = Alerts([Webhook(URL)], service="shop 2")'
    completed = alert_test(tmp_path, code, "shop:app", "--message", "see https://me:sesame@h/\n", receiver=receiver)
    assert completed.code == 0
    data = json.loads(receiver.received[0].body)["data"]
    assert data["text"].startswith("see https://***@h/\n\nSent by asgi-health: shop 2, ")
    assert (data["service"], "shop 2" in data["title"]) == ("shop 2", True)


MIXED = """
print("printed at import")
app = HealthMiddleware(plain, integrations=[Alerts([
    Webhook(URL, name="good"),
    Target("refuses", lambda: fail(DeliveryError("no such channel"))),
    Target("crashes", lambda: fail(KeyError("T0K3N"))),
    Target("exits", lambda: sys.exit("T0K3N")),
    Target("hangs", lambda: time.sleep(60)),
])])
"""
EXPECTED = [
    ("good", SENT),
    ("refuses", "failed after N ms: no such channel; is the URL right, and does this machine reach the receiver?"),
    ("crashes", "failed after N ms: KeyError; that is an error in the code of the target"),
    ("exits", "failed after N ms: SystemExit; that is an error in the code of the target"),
    (
        "hangs",
        "failed after N ms: it has not returned within S s; the target ignores its timeout, and would get no other"
        " message meanwhile",
    ),
]


def test_each_failure_has_its_line_with_what_to_do(tmp_path: Path, receiver: RawReceiver) -> None:
    completed = alert_test(tmp_path, MIXED, "shop:app", "--timeout", "5", receiver=receiver)
    assert completed.code == 1
    assert [(name, re.sub(r"[\d.]+ s;", "S s;", text)) for name, text in outcomes(completed)] == EXPECTED
    assert "printed at import" in completed.err
    assert "T0K3N" not in completed.out + completed.err


def test_json_has_the_same_in_one_line(tmp_path: Path, receiver: RawReceiver) -> None:
    completed = alert_test(tmp_path, MIXED, "shop:app", "--json", "--timeout", "5", receiver=receiver)
    assert (completed.code, completed.out.count("\n")) == (1, 1)
    document = json.loads(completed.out)
    assert document["status"] == "fail"
    assert [(each["name"], each["sent"]) for each in document["targets"]] == [
        (name, text == SENT) for name, text in EXPECTED
    ]
    assert all(0 < each["milliseconds"] < 10_000 for each in document["targets"])
    assert document["targets"][2]["reason"] == "KeyError"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            status(404),
            "answered 404; compare the URL, its credentials and the headers with what the receiver expects",
        ),
        (
            status(302, "Location: http://127.0.0.1:9/"),
            "answered 302, a redirect, which is not followed; compare the URL, its credentials and the headers with"
            " what the receiver expects",
        ),
        (status(500), "answered 500; is the URL right, and does this machine reach the receiver?"),
    ],
    ids=["404", "302", "500"],
)
def test_a_webhook_that_fails_says_what_was_answered(
    answer: object, reason: str, tmp_path: Path, receiver: RawReceiver
) -> None:
    receiver.answer = answer  # type: ignore[assignment]
    completed = alert_test(tmp_path, "app = Alerts([Webhook(URL)])", receiver=receiver)
    assert (completed.code, outcomes(completed)) == (1, [("webhook HOST", f"failed after N ms: {reason}")])


def test_a_receiver_that_hangs_ends_with_the_timeout(tmp_path: Path, receiver: RawReceiver) -> None:
    receiver.answer = hang
    completed = alert_test(tmp_path, "app = Alerts([Webhook(URL)])", "shop:app", "--timeout", "3", receiver=receiver)
    assert completed.code == 1
    assert re.search(r"timed out after [\d.]+ s without an answer; is the URL right", completed.out)


def test_a_url_of_apprise_is_sent_to_without_an_app(tmp_path: Path, receiver: RawReceiver) -> None:
    arguments = ("--url", f"json://127.0.0.1:{receiver.port}/T0K3N", "--url", "json://127.0.0.1:9/T0K3N")
    completed = run("alert", "test", *arguments, cwd=tmp_path, env={"no_proxy": "127.0.0.1"})
    assert completed.code == 1
    (_, good), (_, bad) = outcomes(completed)
    assert good == SENT
    assert bad.startswith("failed after N ms: A Connection error occurred")
    assert len(receiver.received) == 1
    assert "T0K3N" not in completed.out + completed.err


WITHOUT = {
    "app = HealthMiddleware(plain, integrations=[Ping(URL)])": "shop:app has no Alerts; expected"
    " HealthMiddleware(..., integrations=[Alerts([...])]), or the name of the Alerts itself",
    "app = plain": "shop:app has no HealthMiddleware, neither around it nor inside it",
    "app = Health()": "shop:app is a Health, which holds no alerts; name the app, or the Alerts",
    'app = Alerts(["slack"])': "importing shop failed: ValueError: alerts: a target must be a URL of Apprise such as"
    " slack://... or mailto://..., or a Target",
    "os._exit(0)": "the app ended its process with exit code 0 while importing shop",
    "time.sleep(60)": "timed out after 1 s while importing shop",
}


@pytest.mark.parametrize("code", WITHOUT, ids=range(len(WITHOUT)))
def test_without_alerts_the_command_fails_and_says_why(code: str, tmp_path: Path) -> None:
    seconds = "1" if "sleep" in code else "30"
    completed = alert_test(tmp_path, code, "shop:app", "--json", "--timeout", seconds)
    assert (completed.code, completed.line) == (1, f"python -m asgi_health alert test: {WITHOUT[code]}")
    assert json.loads(completed.out) == {"status": "fail", "targets": [], "error": WITHOUT[code]}


@pytest.mark.parametrize("arguments", [(), ("shop:app", "--url", "json://h")], ids=["none", "both"])
def test_an_app_or_urls_are_needed_and_not_both(arguments: tuple[str, ...], tmp_path: Path) -> None:
    completed = run("alert", "test", *arguments, cwd=tmp_path)
    assert (completed.code, completed.line) == (
        2,
        "python -m asgi_health alert test: expected either MODULE:APP or --url",
    )


def test_a_url_that_apprise_does_not_take_is_refused_without_showing_it(tmp_path: Path) -> None:
    completed = run("alert", "test", "--url", "nothing://T0K3N", cwd=tmp_path)
    assert completed.code == 1
    assert "T0K3N" not in completed.line
    assert "nothing://..." in completed.line
