"""`maintain`, `resume` and `status` at an app: a real server end to end, and answers that no endpoint gives."""

import json
import os
import re
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from asgi_health.cli.main import main

from ..support.waiting import wait_until
from .command import Completed, listening, read_request, respond_with, run, scripted, uvicorn
from .test_documented_commands import Place, blocks

TOKEN = "open-sesame"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve an app with the endpoint over TCP, and return its URL without a path."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with uvicorn(f"{__package__}.apps:maintained", listener=listener):
            run("wait", f"{url}/livez")
            token = {"ASGI_HEALTH_TOKEN": TOKEN}
            wait_until(lambda: "ConnectionError" in run("status", url, env=token).out, "the checks have run")
            yield url


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> "Ask":
    monkeypatch.setenv("ASGI_HEALTH_TOKEN", TOKEN)
    return Ask(capfd)


class Ask:
    """Runs the command in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *arguments: str) -> Completed:
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(str(end.code))
        printed = self._capfd.readouterr()
        return Completed(code, printed.out, printed.err)


@pytest.mark.processes
def test_a_maintenance_begins_shows_and_ends_by_the_command(server: str) -> None:
    with_token = {"ASGI_HEALTH_TOKEN": TOKEN}
    begun = run("maintain", server, "payments", "--for", "10m", "--reason", "ünloading & more", env=with_token)
    assert (begun.code, begun.err) == (0, "")
    text, _, until = begun.out.rstrip("\n").partition(" until ")
    assert text == "check 'payments' is in maintenance"
    assert abs(datetime.fromisoformat(until) - datetime.now().astimezone() - timedelta(minutes=10)) < timedelta(
        minutes=1
    )

    shown = run("status", server, env=with_token)
    assert (shown.code, shown.err) == (0, "")
    assert [line.split() for line in shown.out.splitlines()] == [
        ["ready:", "warn,", "serving"],
        [],
        ["CHECK", "STATUS", "SINCE", "MESSAGE"],
        ["database", "pass", *shown.out.splitlines()[3].split()[2:]],
        ["payments", "fail", *shown.out.splitlines()[4].split()[2:4], "ConnectionError:", "payments", "refuse",
         "the", "connection"],
        [],
        ["MAINTENANCE", "UNTIL", "REASON"],
        ["payments", *until[:19].split(), "ünloading", "&", "more"],
    ]  # fmt: skip
    assert run("resume", server, "payments", env=with_token).out == "check 'payments' is in maintenance no more\n"
    after = run("status", server, "--json", env=with_token)
    document = json.loads(after.out)
    assert (after.code, document["ready"], document["status"], document["maintenances"]) == (1, False, "fail", [])
    assert [(each["name"], each["status"]) for each in document["checks"]] == [
        ("database", "pass"),
        ("payments", "fail"),
    ]


@pytest.mark.processes
def test_the_whole_app_may_be_in_maintenance(server: str, ask: Ask) -> None:
    endpoint = f"{server}/health/maintenance"  # one URL for the three commands
    assert ask("maintain", endpoint, "--for", "90").out.startswith("the app is in maintenance until ")
    shown = ask("status", endpoint)
    assert (shown.code, shown.out.splitlines()[0]) == (1, "not ready: fail, serving")
    assert "the app    " in shown.out
    assert ask("resume", endpoint).out == "the app is in maintenance no more\n"
    ended = ask("resume", endpoint)
    assert (ended.code, ended.out) == (1, "")
    assert ended.line == f"python -m asgi_health resume: {endpoint}: there is no maintenance of the app"


@pytest.mark.processes
def test_what_is_wrong_is_one_line(server: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = ask("maintain", server, "paymens", "--for", "1h")
    assert unknown.code == 1
    assert unknown.line.endswith(": check: not known; did you mean payments? checks: database, payments")
    monkeypatch.setenv("ASGI_HEALTH_TOKEN", "guess")
    for command in (["maintain", server, "--for", "1h"], ["resume", server]):
        refused = ask(*command)
        assert refused.code == 1
        assert refused.line.endswith(
            ": answered 404; expected the path of Paths(maintenance=...), and a token that allow_maintenance accepts"
        )
    assert ask("resume", server, "--header", f"authorization: Bearer {TOKEN}").line.endswith(
        "no maintenance of the app"
    )
    stranger = ask("status", server)
    assert (stranger.code, stranger.err) == (1, "")
    first, second = stranger.out.splitlines()
    assert first == "not ready: fail"
    assert "ASGI_HEALTH_TOKEN" in second
    monkeypatch.setenv("ASGI_HEALTH_TOKEN", "not\na token")
    assert (ask("status", server).code, "ASGI_HEALTH_TOKEN: Authorization" in ask("status", server).line) == (2, True)


@pytest.mark.processes
def test_the_page_shows_what_is_printed(server: str, ask: Ask, tmp_path: Path) -> None:
    place = Place(server.removeprefix("http://"), tmp_path)
    moments = re.compile(r"[-0-9]{10} [:0-9]{8}|\d+ (?:s|min)| +")
    (block,) = blocks("maintain")
    for shown, printed in place.outputs(block):
        assert moments.sub(" ", printed) == moments.sub(" ", shown)


def answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d A\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


ODD = {
    "not found": (
        answer(404, b"not found\n"),
        "answered 404; expected the path of Paths(maintenance=...), and a token",
    ),
    "error": (answer(500, b"a secret"), "answered 500; expected 200"),
    "other origin": (answer(403, b"no"), "answered 403; expected 200"),
    "redirect": (answer(307, b""), "answered 307; expected 200"),
    "no JSON": (answer(200, b"hello \x1b[31m\nworld"), "answered 200 without JSON: hello �[31m; world"),
    "an array": (answer(200, b"[]"), "answered 200 without JSON: []"),
    "no maintenance": (answer(200, b'{"maintenances":[1,{}]}'), "the answer does not show the maintenance"),
    "no time": (
        answer(200, b'{"maintenances":[{"check":null,"until":7}]}'),
        "the answer does not show the maintenance",
    ),
    "cut": (answer(200, b"{}")[:-1], "the connection was closed in the middle of the answer"),
    "silence": (b"", "the connection was closed without an answer"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_answer_that_no_endpoint_gives_is_one_line(name: str, ask: Ask) -> None:
    response, reason = ODD[name]
    with scripted(respond_with(response)) as url:
        found = ask("maintain", url, "--for", "1m")
    assert (found.code, found.out) == (1, "")
    assert reason in found.line


def test_the_request_carries_the_options_and_the_token(ask: Ask) -> None:
    seen: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(answer(200, b'{"maintenances":[]}'))

    with scripted(handle) as url:
        ask("maintain", url, "a/b&c", "--for", "1.5m", "--reason", "50 % = é", "--header", "X-A: b")
        ask("resume", f"{url}admin/maintenance", "a b")
    begin, end = (each.decode().splitlines() for each in seen)
    assert begin[0] == "POST /health/maintenance?check=a%2Fb%26c&seconds=90&reason=50%20%25%20%3D%20%C3%A9 HTTP/1.1"
    assert {"Authorization: Bearer open-sesame", "X-A: b", "Content-Length: 0"} <= set(begin)
    assert end[0] == "DELETE /admin/maintenance?check=a%20b HTTP/1.1"
    assert not any(line.startswith(("Origin", "Content-Length")) for line in end)


def test_an_app_on_a_unix_socket_is_a_target_too(tmp_path: Path, ask: Ask) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fspath(tmp_path / "s"))
    listener.listen()
    with listening(respond_with(answer(200, b"{}")), listener):
        for url in (f"unix:{tmp_path}/s", f"unix:{tmp_path}/s:/health/maintenance"):
            assert ask("resume", url).out == "the app is in maintenance no more\n"


DETAILS = {
    "status": "warn",
    "notes": ["look \x1b[31mhere"],
    "workers": [
        {"pid": 11, "status": "pass", "phase": "serving", "since": "2020-01-01T00:00:00Z", "checks": [], "leader": True,
         "self": True},
        {"pid": 12, "status": "fail", "phase": "serving", "since": "long ago", "checks": ["db", "[red]x"]},
        "not a worker",
    ],
    "checks": {"[red]x": [{"status": "fail", "output": "[bold]x", "explain": {"critical": False}}],
               "[red]x:rows": [{"observedValue": 7}], "odd": 7},
}  # fmt: skip


def test_status_shows_the_workers_where_the_details_have_them(ask: Ask) -> None:
    with scripted(respond_with(answer(200, json.dumps(DETAILS).encode()))) as url:
        found = ask("status", url)
        document = json.loads(ask("status", url, "--json").out)
    lines = [" ".join(line.split()) for line in found.out.splitlines()]
    assert found.code == 0
    assert lines[:2] == ["ready: warn", "note: look �[31mhere"]
    assert "[red]x fail (not critical) [bold]x" in lines
    assert any(line.startswith("11 pass serving") and line.endswith("d leader") for line in lines)
    assert "12 fail serving db, [red]x" in lines
    assert [each.get("pid") for each in document["workers"]] == [11, 12, None]
    assert [each["name"] for each in document["checks"]] == ["[red]x"]


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (answer(404, b""), "answered 404; expected the details of the app"),
        (answer(200, b"{}"), "the answer has no status"),
        (answer(503, b"x"), "answered 503 without JSON: x"),
    ],
    ids=["not found", "no status", "no JSON"],
)
def test_a_status_that_is_not_known_is_not_ready(response: bytes, reason: str, ask: Ask) -> None:
    with scripted(respond_with(response)) as url:
        found, as_json = ask("status", url), ask("status", url, "--json")
    assert (found.code, found.out) == (as_json.code, "") == (1, "")
    assert reason in found.line
    document = json.loads(as_json.out)
    assert document["ready"] is False
    assert reason in document["error"]


URL = "http://127.0.0.1:1"
WRONG = {
    ("maintain", URL): "the following arguments are required: --for",
    ("maintain", URL, "--for", "10"): "",
    ("maintain", URL, "--for", "10x"): "'10x' is not a time such as 90s, 10m, 2h or 1d (more than 0, at most 7d)",
    ("maintain", URL, "--for", "0m"): "'0m' is not a time",
    ("maintain", URL, "--for", "8d"): "'8d' is not a time",
    ("maintain", URL, "--for", "1_0m"): "'1_0m' is not a time",
    ("maintain", URL, "--for", "m"): "'m' is not a time",
    ("maintain", URL, "", "--for", "1m"): "'': expected printable text",
    ("maintain", URL, "--for", "1m", "--reason", "x" * 201): "the reason has 201 characters; expected at most 200",
    ("maintain", URL, "--for", "1m", "--reason", "a\nb"): "expected printable text",
    ("resume", "shop"): "'shop': expected http://host:port, https://host, unix:/run/app.sock or a board such as /run",
    ("resume", "/run/app.sock"): "'/run/app.sock': expected http://host:port",
    ("resume", "file:/run/app.db"): "'file:/run/app.db': expected http://host:port",
    ("resume", f"{URL}/?x=1"): "the URL must have no query",
    ("resume", "http://a:b@c/"): "user:password@ in a URL is not supported",
    ("status", "a\nb.db"): "the path has a control character",
}


@pytest.mark.parametrize(("arguments", "error"), WRONG.items(), ids=range(len(WRONG)))
def test_wrong_arguments_are_named(arguments: tuple[str, ...], error: str, ask: Ask) -> None:
    found = ask(*arguments)
    assert (found.code, found.out) == (2 if error else 1, "")
    assert error in found.err.splitlines()[-1]
