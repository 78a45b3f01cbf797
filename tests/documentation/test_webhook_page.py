"""docs/how-to/webhook.md: the lines that verify a request and make a secret. docs/reference/alerts.md: the body."""

import json
import re
import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest

from asgi_health.integrations.alerts import Incident, Message, Webhook
from tests.integrations.alerts.raw_receiver import Received, raw_receiver, status
from tests.integrations.alerts.test_webhook import MESSAGE

from .blocks import ROOT, blocks

PAGE = (ROOT / "docs" / "reference/alerts.md").read_text()
(VERIFYING,) = [each for each in blocks("python", "how-to/webhook.md") if "def verify" in each]
(MAKING,) = [each for each in blocks("sh", "how-to/webhook.md") if "whsec_" in each]


@pytest.fixture
def secret() -> str:
    """A secret that was made as the page says."""
    (program,) = re.findall(r'^python -c "(.*)"$', MAKING, re.MULTILINE)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def sent(secret: str) -> Received:
    with raw_receiver(status(204)) as receiver:
        Webhook(receiver.url(), secret=secret).send(MESSAGE, timeout=10)
    return receiver.received[0]


def keys(value: Any) -> Any:
    """Return the shape of a JSON value: the names of members, and the types of the rest."""
    match value:
        case dict():
            return {name: keys(each) for name, each in value.items()}
        case list():
            return [keys(each) for each in value]
        case _:
            return type(value)


def test_the_page_shows_the_body_that_is_sent(secret: str) -> None:
    (shown,) = blocks("json", "reference/alerts.md")
    assert keys(json.loads(shown)) == keys(json.loads(sent(secret).body))


def test_each_member_is_explained() -> None:
    explained = set(re.findall(r"`([\w.]+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))))
    members = {each.name for each in fields(Incident)} | {f"data.{each.name}" for each in fields(Message)}
    assert members - {"data.at"} <= explained


def test_the_lines_of_the_page_verify_a_request_and_nothing_else(secret: str) -> None:
    names: dict[str, Any] = {}
    exec(VERIFYING, names)
    verify = names["verify"]
    request = sent(secret)
    assert verify(secret, request.headers, request.body)
    assert not verify(secret, request.headers, request.body + b" ")
    assert not verify(secret[:-4] + "AAA=", request.headers, request.body)
    old = request.headers | {"webhook-timestamp": str(int(request.headers["webhook-timestamp"]) - 301)}
    assert not verify(secret, old, request.body)
    assert not verify(secret, request.headers | {"webhook-id": "other"}, request.body)
    assert not verify(secret, {}, request.body)
    assert not verify(secret, request.headers | {"webhook-timestamp": "now"}, request.body)
    assert not verify(secret, request.headers | {"webhook-signature": "v1,\xe9"}, request.body)
