"""The doctor asks a served app from outside: it finds the one fault of each, and no other."""

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from asgi_health.cli.doctor.rules.url import URL_RULES
from asgi_health.cli.main import main
from asgi_health.core.status import Status
from asgi_health.formats.answer import NOT_FOUND, Answer, answer, minimal

from .command import listening, read_request, respond_with

Answers = Callable[[str, str], Answer]
"""(method, path) -> the answer of a server."""

PATHS = ("/health/live", "/health/ready", "/health/startup", "/health")
DETAILS = answer(200, b"application/health+json", b'{"status":"pass","checks":{}}')


def healthy(method: str, path: str) -> Answer:
    return minimal(Status.HEALTHY) if path in PATHS else NOT_FOUND


def instead(which: Callable[[str, str], bool], other: Answer) -> Answers:
    """Return the answers of a healthy app, with another one for some requests."""
    return lambda method, path: other if which(method, path) else healthy(method, path)


def changed(*headers: tuple[bytes, bytes], without: bytes = b"") -> Answers:
    """Return the answers of a healthy app as a proxy changes them."""

    def answers(method: str, path: str) -> Answer:
        found = healthy(method, path)
        kept = tuple(each for each in found.headers if each[0] != without)
        return Answer(found.status, (*kept, *headers), found.body)

    return answers


def at(*paths: str) -> Callable[[str, str], bool]:
    return lambda method, path: path in paths


def page(status: int) -> Answer:
    return answer(status, b"text/html", b"<p>the app</p>")


@dataclass(frozen=True)
class Case:
    """A server with one fault."""

    name: str
    answers: Answers
    rule: str = ""
    says: str = ""
    options: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        return f"{self.rule or 'healthy'}: {self.name}"


CASES = [
    Case("a healthy app", healthy),
    Case("other paths", lambda method, path: minimal(Status.HEALTHY) if path[-1:] == "z" else NOT_FOUND),
    Case("neither startup nor health", instead(at("/health", "/health/startup"), NOT_FOUND)),
    Case("no such path", instead(at("/health/live", "/livez"), NOT_FOUND), "url-status", "/health/live answers 404"),
    Case("a redirect", instead(at("/health/startup"), page(307)), "url-status", "answers 307, expected 200 or 503"),
    Case("not ready", instead(at("/health/ready"), minimal(Status.UNHEALTHY)), "url-unhealthy", "readiness is not"),
    Case("details", instead(at("/health"), DETAILS), "url-details", "/health "),
    Case("a catch-all", instead(lambda method, path: "doctor" in path, page(200)), "url-unknown-path", "answers 200"),
    Case("a cache", changed((b"age", b"3")), "url-cached", "has age: 3"),
    Case(
        "another policy",
        changed((b"cache-control", b"max-age=60"), without=b"cache-control"),
        "url-cached",
        "max-age=60",
    ),
    Case("GET alone", instead(lambda method, path: method == "HEAD", page(405)), "url-head", "answers 405"),
    Case("a cookie", changed((b"set-cookie", b"a=b")), "url-rewritten", "a set-cookie header"),
    Case("a page", instead(at("/health/live"), answer(200, b"text/html", b"<p>")), "url-rewritten", "content-type"),
    Case("slow", healthy, "url-slow", "more than half of", options=["--prober-timeout", "0.00001"]),
]


def serve(answers: Answers, connection: socket.socket) -> None:
    method, target, *_ = read_request(connection).decode().split(" ")
    found = answers(method, target.removeprefix("/shop"))
    head = "".join(f"{name.decode()}: {value.decode()}\r\n" for name, value in found.headers)
    body = b"" if method == "HEAD" else found.body
    connection.sendall(f"HTTP/1.1 {found.status} It\r\n{head}\r\n".encode() + body)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_finds_the_one_fault_and_no_other(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    # However busy the machine is: a slow answer is a finding of its own.
    patient = case.options or ["--prober-timeout", "60"]
    with listening(lambda connection: serve(case.answers, connection)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/shop/healthz"
        code = main(["doctor", url, "--json", *patient])
    document = json.loads(capsys.readouterr().out)
    found = document["findings"]
    assert [each["rule"] for each in found] == ([case.rule] if case.rule else [])
    assert all(case.says in each["what"] for each in found)
    severities = {each.id: each.severity for each in URL_RULES}
    assert code == (severities.get(case.rule) == "error")
    assert document["status"] == {"error": "fail", "warning": "warn"}.get(severities.get(case.rule, ""), "pass")


def test_each_rule_has_a_fault() -> None:
    assert {case.rule for case in CASES} - {""} == {each.id for each in URL_RULES}


def test_a_rule_that_is_ignored_finds_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        with listening(lambda connection: serve(changed((b"age", b"3")), connection), listener):
            options = ["--ignore", "url-cached", "--prober-timeout", "60"]
            assert main(["doctor", f"unix:{tmp_path}/s:/", *options]) == 0
    assert capsys.readouterr().out == "nothing found\n"


@pytest.mark.parametrize(
    ("response", "says"),
    [(b"", "without response"), (b"SSH-2.0-OpenSSH_9\r\n", "expected an HTTP/1.1 answer, got 'SSH-2.0")],
    ids=["closed", "no HTTP"],
)
def test_a_server_that_cannot_be_asked_is_one_line(
    response: bytes, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with listening(respond_with(response)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert main(["doctor", url]) == 1
        assert main(["doctor", url, "--json"]) == 1
    printed = capsys.readouterr()
    assert says in printed.err.splitlines()[0]
    assert printed.err.count("\n") == 2
    (line,) = printed.out.splitlines()
    assert says in json.loads(line)["error"]


def test_an_address_without_a_server_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "http://127.0.0.1:1/"]) == 1
    assert capsys.readouterr().err.endswith("doctor: http://127.0.0.1:1/: connection refused\n")
