"""Webhook against real receivers: what it sends, and that it ends in time whatever they do."""

import hashlib
import hmac
import json
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import standardwebhooks
import trustme

from asgi_health import Health
from asgi_health.integrations.alerts import Alerts, DeliveryError, Incident, Message, Rejected, Webhook
from tests.servers.process import ROOT
from tests.support.waiting import wait_until_async

from .raw_receiver import Answer, RawReceiver, hang, raw_receiver, send, status, trickle

SECRET = "whsec_" + b64encode(bytes(range(32))).decode()
SINCE = datetime(2026, 11, 28, 9, 0, 0, 500_000, tzinfo=UTC)
INCIDENT = Incident(
    subject="database",
    state="open",
    status="fail",
    cause="check",
    message="ConnectionError: refused",
    since=SINCE,
    duration=12.5,
    critical=True,
    failures=3,
)
MESSAGE = Message(
    id="msg_0123456789",
    kind="alert",
    title="shop: database fails – prüfen",
    text="database: ConnectionError: refused\n",
    incidents=(INCIDENT,),
    more=0,
    open=1,
    at=SINCE + timedelta(seconds=12.5),
    service="shop 1",
    host="web-1",
    pid=17,
)
LATE = 0.3
"""Seconds of the timeout against receivers that do not answer."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def failure(receiver: RawReceiver, timeout: float = 10.0) -> DeliveryError:
    """Return the error of one attempt."""
    with pytest.raises(DeliveryError) as raised:
        Webhook(receiver.url("/hooks/T0K3N?key=s3cret")).send(MESSAGE, timeout=timeout)
    assert "T0K3N" not in str(raised.value)
    assert "s3cret" not in str(raised.value)
    return raised.value


# -- what it sends


def test_the_message_is_posted_as_json_with_type_version_and_timestamp() -> None:
    with raw_receiver(status(204)) as receiver:
        Webhook(receiver.url("/hook?to=ops")).send(MESSAGE, timeout=10)
    (request,) = receiver.received
    assert request.line == "POST /hook?to=ops HTTP/1.1"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "type": "health.alert",
        "version": 1,
        "timestamp": "2026-11-28T09:00:13Z",
        "data": {
            "id": "msg_0123456789",
            "kind": "alert",
            "title": "shop: database fails – prüfen",
            "text": "database: ConnectionError: refused\n",
            "incidents": [
                {
                    "subject": "database",
                    "state": "open",
                    "status": "fail",
                    "cause": "check",
                    "message": "ConnectionError: refused",
                    "since": "2026-11-28T09:00:00.500000Z",
                    "duration": 12.5,
                    "critical": True,
                    "failures": 3,
                }
            ],
            "more": 0,
            "open": 1,
            "at": "2026-11-28T09:00:13Z",
            "service": "shop 1",
            "host": "web-1",
            "pid": 17,
        },
    }


def test_without_a_secret_there_is_an_id_and_no_signature() -> None:
    with raw_receiver(status(200)) as receiver:
        Webhook(receiver.url()).send(MESSAGE, timeout=10)
    headers = receiver.received[0].headers
    assert headers["webhook-id"] == MESSAGE.id
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert "webhook-signature" not in headers


def test_the_signature_is_that_of_the_specification() -> None:
    with raw_receiver(status(200)) as receiver:
        Webhook(receiver.url(), secret=SECRET).send(MESSAGE, timeout=10)
    (request,) = receiver.received
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    digest = hmac.new(b64decode(SECRET.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == f"v1,{b64encode(digest).decode()}"


def test_the_public_library_of_standard_webhooks_verifies_a_request_and_no_other_body() -> None:
    with raw_receiver(status(200)) as receiver:
        Webhook(receiver.url(), secret=SECRET).send(MESSAGE, timeout=10)
    (request,) = receiver.received
    library = standardwebhooks.Webhook(SECRET)
    assert library.verify(request.body, request.headers)["data"]["id"] == MESSAGE.id
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        library.verify(request.body.replace(b"refused", b"allowed"), request.headers)


def test_a_message_that_is_tried_again_keeps_its_id() -> None:
    with raw_receiver(status(503)) as receiver:
        webhook = Webhook(receiver.url())
        for attempt in (MESSAGE, replace(MESSAGE, at=MESSAGE.at + timedelta(seconds=5))):
            with pytest.raises(DeliveryError):
                webhook.send(attempt, timeout=10)
    assert [request.headers["webhook-id"] for request in receiver.received] == [MESSAGE.id] * 2


def test_further_headers_and_the_credentials_of_the_url_are_sent() -> None:
    with raw_receiver(status(200)) as receiver:
        Webhook(receiver.url(), headers={"Authorization": "Bearer t0ken", "X-Team": "shop"}).send(MESSAGE, timeout=10)
        Webhook(f"http://ops:p%40ss%2F@127.0.0.1:{receiver.port}").send(MESSAGE, timeout=10)
    with_headers, with_user = (request.headers for request in receiver.received)
    assert (with_headers["authorization"], with_headers["x-team"]) == ("Bearer t0ken", "shop")
    assert b64decode(with_user["authorization"].removeprefix("Basic ")) == b"ops:p@ss/"


def test_the_proxy_of_the_environment_is_used_and_its_exceptions_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_receiver(status(200)) as proxy, raw_receiver(status(200)) as receiver:
        monkeypatch.setenv("http_proxy", f"http://user:pass@127.0.0.1:{proxy.port}")
        Webhook("http://hooks.invalid/a").send(MESSAGE, timeout=10)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        Webhook(receiver.url()).send(MESSAGE, timeout=10)
    (request,) = proxy.received
    assert request.line == "POST http://hooks.invalid/a HTTP/1.1"
    assert request.headers["proxy-authorization"] == f"Basic {b64encode(b'user:pass').decode()}"
    assert len(receiver.received) == 1


def test_through_a_proxy_tls_reaches_to_the_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_receiver(status(403)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(DeliveryError, match="the proxy of the environment answered 403"):
            Webhook("https://hooks.invalid/a").send(MESSAGE, timeout=10)
    assert proxy.received[0].line == "CONNECT hooks.invalid:443 HTTP/1.1"


def test_a_proxy_of_another_kind_is_a_failure_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://user:T0K3N@127.0.0.1:9")
    with pytest.raises(DeliveryError, match=r"the proxy that the environment names for http is no http://") as raised:
        Webhook("http://hooks.invalid").send(MESSAGE, timeout=10)
    assert "T0K3N" not in str(raised.value)


@pytest.mark.anyio
async def test_alerts_send_a_message_again_with_its_id_until_the_receiver_accepts_it() -> None:
    async def database() -> bool:
        return False

    def answer_500_at_first(receiver: RawReceiver, connection: socket.socket) -> None:
        status(500 if len(receiver.received) == 1 else 204)(receiver, connection)

    with raw_receiver(answer_500_at_first) as receiver:
        alerts = Alerts([Webhook(receiver.url(), secret=SECRET)], wait=0.1)
        async with Health({"database": database}).running(integrations=[alerts]):
            await wait_until_async(lambda: alerts.statistics()[0].sent == 1, "it is delivered")
    first, second = receiver.received
    library = standardwebhooks.Webhook(SECRET)
    for request in (first, second):
        assert library.verify(request.body, request.headers)["data"]["incidents"][0]["subject"] == "database"
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


# -- what receivers answer


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
def test_an_answer_of_200_to_299_is_a_delivery(code: int) -> None:
    with raw_receiver(status(code)) as receiver:
        Webhook(receiver.url()).send(MESSAGE, timeout=10)
    assert receiver.connections == 1


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 410, 413, 422])
def test_a_refusal_makes_another_attempt_senseless(code: int) -> None:
    with raw_receiver(status(code, body=b"T0K3N is unknown")) as receiver:
        error = failure(receiver)
    assert isinstance(error, Rejected)
    assert str(error) == f"answered {code}"


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_after_a_failure_of_the_receiver_another_attempt_makes_sense(code: int) -> None:
    with raw_receiver(status(code)) as receiver:
        error = failure(receiver)
    assert not isinstance(error, Rejected)
    assert (str(error), error.retry_after) == (f"answered {code}", None)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_says_so(code: int) -> None:
    with raw_receiver(status(200)) as other, raw_receiver(status(code, f"Location: {other.url()}")) as receiver:
        error = failure(receiver)
        assert other.connections == 0
    assert isinstance(error, Rejected)
    assert str(error) == f"answered {code}, a redirect, which is not followed"


@pytest.mark.parametrize(
    ("value", "at_least", "at_most"),
    [
        ("17", 17, 17),
        (format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True), 3000, 3601),
        ("Sat, 28 Nov 2020 09:00:00 GMT", 0, 0),
        ("9" * 5000, 999_999_999, 999_999_999),
    ],
    ids=["seconds", "date", "past", "long"],
)
def test_retry_after_is_passed_on_in_seconds(value: str, at_least: float, at_most: float) -> None:
    with raw_receiver(status(429, f"Retry-After: {value}")) as receiver:
        error = failure(receiver)
    assert error.retry_after is not None
    assert at_least <= error.retry_after <= at_most


@pytest.mark.parametrize(
    "value",
    [
        *("", "soon", "-1", "1.5", "Sat, 99 Foo", "Sat, 28 Nov 2020 99999999999999999999:00:00 GMT"),
        *("Sat, 28 Nov 2020 09:00:00 +99999999999999999999", "28 Nov 99999999999999999999 09:00:00 GMT"),
    ],
)
def test_a_retry_after_that_is_none_is_ignored(value: str) -> None:
    with raw_receiver(status(503, f"Retry-After: {value}")) as receiver:
        assert failure(receiver).retry_after is None


# -- receivers that misbehave


UNENDING: dict[str, tuple[Answer, str]] = {
    "hangs": (hang, "without an answer"),
    "trickles a status line": (trickle(b"HTTP/1.1 200 ", b"O"), "in the middle of the answer"),
    "trickles headers": (trickle(b"HTTP/1.1 200 OK\r\n"), "in the middle of the answer"),
    "trickles interim answers": (trickle(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), "in the middle of the answer"),
}


@pytest.mark.parametrize("kind", UNENDING)
def test_an_answer_without_an_end_is_a_failure_at_the_deadline(kind: str) -> None:
    answer, progress = UNENDING[kind]
    began = time.monotonic()
    with raw_receiver(answer) as receiver:
        error = failure(receiver, timeout=LATE)
        took = time.monotonic() - began
    assert str(error) == f"timed out after {LATE:g} s {progress}"
    assert not isinstance(error, Rejected)
    assert LATE <= took < LATE + 5


@pytest.mark.parametrize("length", ["Content-Length: 1000000", "Transfer-Encoding: chunked", "X: y"])
def test_a_body_that_trickles_ends_at_the_deadline_and_its_status_counts(length: str) -> None:
    began = time.monotonic()
    with raw_receiver(trickle(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n".encode(), b"1\r\nx\r\n")) as receiver:
        Webhook(receiver.url()).send(MESSAGE, timeout=LATE)
        assert time.monotonic() - began < LATE + 5


def test_a_body_of_any_length_is_cut_off_and_its_status_counts() -> None:
    with raw_receiver(trickle(b"HTTP/1.1 410 Gone\r\n\r\n", bytes(1_000_000))) as receiver:
        assert str(failure(receiver, timeout=60)) == "answered 410"


def test_interim_answers_without_an_end_are_cut_off() -> None:
    """To parse all that arrive until the deadline would take the processor from the app for so long."""
    with raw_receiver(trickle(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20_000)) as receiver:
        assert str(failure(receiver, timeout=60)) == "OSError: the answer has more than 262144 bytes"


@pytest.mark.parametrize(
    "data", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000]
)
def test_what_is_no_answer_is_a_failure_after_which_another_attempt_makes_sense(data: bytes) -> None:
    with raw_receiver(send(data)) as receiver:
        assert not isinstance(failure(receiver), Rejected)


def test_a_receiver_that_accepts_nothing_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # the system completes the connection
        receiver = RawReceiver(listener.getsockname()[1], hang)
        assert str(failure(receiver, timeout=LATE)) == f"timed out after {LATE:g} s without an answer"


def test_a_receiver_that_reads_nothing_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(DeliveryError, match="timed out"):
            Webhook(f"http://127.0.0.1:{listener.getsockname()[1]}").send(
                replace(MESSAGE, text="x" * 30_000_000), timeout=LATE
            )


def test_an_answer_before_the_end_of_the_request_counts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            with listener.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 413 Too Large\r\n\r\n")

        refusing = threading.Thread(target=refuse)
        refusing.start()
        with pytest.raises(Rejected, match="answered 413"):
            Webhook(f"http://127.0.0.1:{listener.getsockname()[1]}").send(
                replace(MESSAGE, text="x" * 30_000_000), timeout=30
            )
        refusing.join()


def test_a_tls_handshake_without_an_answer_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(DeliveryError, match="in the TLS handshake"):
            Webhook(f"https://127.0.0.1:{listener.getsockname()[1]}").send(MESSAGE, timeout=LATE)


def test_a_port_that_refuses_is_a_failure_after_which_another_attempt_makes_sense() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure(RawReceiver(port, hang))
    assert not isinstance(error, Rejected)
    assert "refused" in str(error)


def test_a_name_whose_look_up_hangs_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    with raw_receiver(hang) as blocker:

        def slow(host: str, port: int, family: int, type: int, proto: int, flags: int) -> object:
            if not flags & socket.AI_NUMERICHOST:
                blocker.closing.wait(60)
            return real(host, port, family, type, proto, flags)

        monkeypatch.setattr(socket, "getaddrinfo", slow)
        with pytest.raises(DeliveryError, match=r"timed out after 0\.3 s while connecting"):
            Webhook("http://localhost:9/").send(MESSAGE, timeout=LATE)


def test_an_address_that_is_silent_leaves_time_for_one_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as full, raw_receiver(status(200)) as receiver:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # one connection fits, and the next one waits for ever
        with socket.create_connection(full.getsockname()):
            addresses = [full.getsockname(), ("127.0.0.1", receiver.port)]
            found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", each) for each in addresses]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
            Webhook("http://two-addresses.invalid/").send(MESSAGE, timeout=2.0)
    assert len(receiver.received) == 1


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_a_certificate_must_be_valid_for_the_system_and_for_the_name(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        raw_receiver(status(200), server_context(authority, "127.0.0.1")) as good,
        raw_receiver(status(200), server_context(authority, "other.invalid")) as other,
        authority.cert_pem.tempfile() as file,
    ):
        for receiver in (good, other):
            with pytest.raises(DeliveryError, match=r"(?i)certificate verify failed"):
                Webhook(f"https://127.0.0.1:{receiver.port}").send(MESSAGE, timeout=10)
        monkeypatch.setenv("SSL_CERT_FILE", file)
        Webhook(f"https://127.0.0.1:{good.port}").send(MESSAGE, timeout=10)
        with pytest.raises(DeliveryError, match=r"certificate is not valid for '127\.0\.0\.1'"):
            Webhook(f"https://127.0.0.1:{other.port}").send(MESSAGE, timeout=10)
        assert (len(good.received), len(other.received)) == (1, 0)


# -- secrets and arguments


def test_no_repr_no_name_and_no_log_shows_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), raw_receiver(status(500)) as receiver:
        webhook = Webhook(
            f"http://ops:p4ssw0rd@127.0.0.1:{receiver.port}/hooks/T0K3N?key=s3cret",
            secret=SECRET,
            headers={"X-Key": "h3ader"},
        )
        with pytest.raises(DeliveryError) as raised:
            webhook.send(MESSAGE, timeout=10)
    assert repr(webhook) == f"Webhook('http://127.0.0.1:{receiver.port}', name='webhook 127.0.0.1:{receiver.port}')"
    shown = "".join([repr(webhook), webhook.name, str(raised.value), caplog.text])
    for secret in ("p4ssw0rd", "T0K3N", "s3cret", "h3ader", SECRET[6:]):
        assert secret not in shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.invalid/T0K3N",
        "ftp://hooks.invalid/T0K3N",
        "file:///T0K3N",
        "http:///T0K3N",
        "http://:80/T0K3N",
        "http://hooks.invalid:0/T0K3N",
        "http://hooks.invalid:65536/T0K3N",
        "http://user:T0K3N/x@hooks.invalid/",
        "http://[::1/T0K3N",
        "http://hooks.invalid/T0K3N\r\nX: y",
        "http://hooks.invalid/ T0K3N",
        "http://hööks.invalid/T0K3N",
        "http://hooks..invalid/T0K3N",
        f"http://{'h' * 64}.invalid/T0K3N",
    ],
    ids=range(15),
)
def test_a_url_that_cannot_work_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^webhook: url must be http://host/path or ") as raised:
        Webhook(url)
    assert "T0K3N" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    "secret", ["", "T0K3N", "whsec_", "whsec_T0K3N", "whsec_*T0K3N*", f"whsec_{b64encode(bytes(23)).decode()}"]
)
def test_a_secret_that_cannot_work_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(ValueError, match=r"^webhook: secret must be whsec_ and the Base64 of 24 to 64 bytes") as raised:
        Webhook("http://hooks.invalid", secret=secret)
    assert "T0K3N" not in str(raised.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"": "T0K3N"},
        {"X Key": "T0K3N"},
        {"X-Key": "T0K3N\r\nY: z"},
        {"X-Key": "T0K3N "},
        {"X-Key": "T0K3Nö"},
        {"webhook-ID": "T0K3N"},
        {"Content-Length": "T0K3N"},
        {"X-Key": "T0K3N", "x-key": "T0K3N"},
    ],
    ids=range(8),
)
def test_a_header_that_cannot_work_is_refused_without_its_value(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^webhook: headers: ") as raised:
        Webhook("http://hooks.invalid", headers=headers)
    assert "T0K3N" not in str(raised.value)


def test_two_credentials_are_refused() -> None:
    with pytest.raises(ValueError, match="both url and headers hold credentials"):
        Webhook("http://user:pass@hooks.invalid", headers={"authorization": "Bearer x"})


def test_an_argument_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="url must be a string, not one of bytes"):
        Webhook(b"http://hooks.invalid")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="secret must be a string"):
        Webhook("http://hooks.invalid", secret=bytes(32))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="headers must be a mapping"):
        Webhook("http://hooks.invalid", headers=[("X", "y")])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="names and values must be strings"):
        Webhook("http://hooks.invalid", headers={"X": 1})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="name must be of type str"):
        Webhook("http://hooks.invalid", name=1)  # type: ignore[arg-type]


def test_the_name_can_be_chosen() -> None:
    assert Webhook("https://hooks.invalid/a", name="on call").name == "on call"
    assert Webhook("https://hooks.invalid/a").name == "webhook hooks.invalid"


def test_without_httpcore_the_error_names_the_extra() -> None:
    program = (
        "import sys\n"
        "sys.modules['httpcore'] = None\n"
        "from asgi_health.integrations.alerts import Ping, Webhook\n"
        "for kind in (Ping, Webhook):\n"
        "    try:\n"
        "        kind('http://hooks.invalid')\n"
        "    except ModuleNotFoundError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == 2 * 'httpcore is not installed; try: pip install "asgi-health[webhook]"\n'
