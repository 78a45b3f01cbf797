"""The installed command against real servers: exit codes, stdout, stderr."""

import os
import pty
import socket
import ssl
import subprocess
import sys
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from .command import SCRIPT, Handler, listening, respond_slowly, respond_with, run, scripted, uvicorn

COMMANDS = {"script": (str(SCRIPT),), "module": (sys.executable, "-m", "asgi_health")}
LONG_TIMEOUT = ("--timeout", "30")


@dataclass(frozen=True)
class Servers:
    """The URLs of the servers, and the certificate of the authority that signed theirs."""

    urls: dict[str, str]
    authority: Path


@contextmanager
def serving(stack: ExitStack, app: str, listener: socket.socket, *arguments: str) -> Iterator[None]:
    with listener, uvicorn(f"{__package__}.apps:{app}", *arguments, listener=listener):
        yield


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Run servers in processes of their own, over TCP, a unix socket and TLS."""
    folder = tmp_path_factory.mktemp("servers")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    with ExitStack() as stack:
        urls: dict[str, str] = {}
        for app in ("healthy", "unhealthy"):
            listener = socket.create_server(("127.0.0.1", 0))
            urls[app] = f"http://127.0.0.1:{listener.getsockname()[1]}"
            stack.enter_context(serving(stack, app, listener))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.fspath(folder / "s"))
        listener.listen()
        urls["unix"] = f"unix:{folder}/s:"
        stack.enter_context(serving(stack, "healthy", listener))
        listener = socket.create_server(("127.0.0.1", 0))
        urls["tls"] = f"https://localhost:{listener.getsockname()[1]}"
        stack.enter_context(serving(stack, "healthy", listener, "--ssl-certfile", f"{folder}/server.pem"))
        servers = Servers(urls, folder / "ca.pem")
        for url in urls.values():  # so that no test waits for a server that starts
            run("wait", f"{url}/livez", *LONG_TIMEOUT, "--insecure")
        run("wait", urls["healthy"] + "/readyz", urls["unix"] + "/readyz", *LONG_TIMEOUT)
        yield servers


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("name", ["healthy", "unix"])
def test_a_healthy_target_exits_with_0_and_prints_nothing(
    servers: Servers, name: str, command: tuple[str, ...]
) -> None:
    completed = run("probe", f"{servers.urls[name]}/readyz", *LONG_TIMEOUT, command=command)
    assert (completed.code, completed.out, completed.err) == (0, "", "")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_an_unready_target_exits_with_1_and_prints_one_line(servers: Servers, command: tuple[str, ...]) -> None:
    url = f"{servers.urls['unhealthy']}/readyz"
    completed = run("probe", url, *LONG_TIMEOUT, command=command)
    name = "asgi-health" if command == (str(SCRIPT),) else "python -m asgi_health"
    assert (completed.code, completed.out) == (1, "")
    assert completed.line == f"{name} probe: {url}: answered 503; expected 200-299"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_wrong_arguments_exit_with_2(command: tuple[str, ...]) -> None:
    for arguments in (["probe"], ["probe", "localhost:8000"], ["probe", "http://a/", "--timeout", "0"]):
        completed = run(*arguments, command=command)
        assert (completed.code, completed.out) == (2, "")
        assert "Traceback" not in completed.err
        assert ": error: " in completed.err.splitlines()[-1]


def test_verbose_prints_the_body_of_a_healthy_and_of_an_unhealthy_answer(servers: Servers) -> None:
    completed = run("probe", f"{servers.urls['healthy']}/readyz?format=text", *LONG_TIMEOUT, "--verbose")
    assert (completed.code, completed.out, completed.err) == (0, "[+]database ok\nreadyz check passed\n", "")
    completed = run("probe", f"{servers.urls['unhealthy']}/readyz?format=text", *LONG_TIMEOUT, "--verbose")
    assert (completed.code, completed.out) == (
        1,
        "[+]database ok\n[-]payments failed: ConnectionError: payments refuse the connection\nreadyz check failed\n",
    )
    assert completed.line.endswith("/readyz: answered 503; expected 200-299")


def test_the_first_10240_bytes_of_a_body_are_printed_unchanged() -> None:
    body = bytes(range(256)) * 100
    with scripted(respond_with(b"HTTP/1.1 200 OK\r\n\r\n" + body)) as url:
        command = [sys.executable, "-m", "asgi_health", "probe", url, "--verbose"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    assert (done.returncode, done.stdout) == (0, body[:10240])


def test_on_a_terminal_the_body_has_no_control_characters() -> None:
    body = "fine\n\ttab \x1b[31mred\x1b]0;title\x07\r\x00\x7f\x9b2J\u202e Grüße\n".encode() + b"\xff"
    with scripted(respond_with(b"HTTP/1.1 200 OK\r\n\r\n" + body)) as url:
        reader, writer = pty.openpty()
        tty.setraw(writer)  # otherwise the terminal changes the line endings
        try:
            command = [sys.executable, "-m", "asgi_health", "probe", url, *LONG_TIMEOUT, "--verbose"]
            assert subprocess.run(command, stdout=writer, check=False).returncode == 0
            printed = os.read(reader, 4096).decode()
        finally:
            os.close(writer)
            os.close(reader)
    assert all(char.isprintable() or char in "\n\t" for char in printed)
    assert printed.startswith("fine\n\ttab ")
    assert "Grüße\n" in printed


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-", "1>/dev/full", "2>/dev/full"])
def test_the_exit_code_is_right_if_output_is_closed_or_full(servers: Servers, closed: str) -> None:
    for name, code in (("healthy", 0), ("unhealthy", 1)):
        script = f'"$0" -m asgi_health probe "$1" --timeout 30 --verbose {closed}'
        completed = run("-c", script, sys.executable, f"{servers.urls[name]}/readyz", command=("sh",))
        assert completed.code == code
        assert "Traceback" not in completed.err
        assert "Exception ignored" not in completed.err


def test_a_certificate_is_verified(servers: Servers) -> None:
    url = f"{servers.urls['tls']}/readyz"
    trusted = {"SSL_CERT_FILE": os.fspath(servers.authority)}
    completed = run("probe", url, *LONG_TIMEOUT, env=trusted)
    assert (completed.code, completed.out, completed.err) == (0, "", "")
    completed = run("probe", url, *LONG_TIMEOUT)
    assert completed.code == 1
    assert f"probe: {url}: the certificate is not accepted: unable to get local issuer" in completed.line
    by_address = url.replace("localhost", "127.0.0.1")
    completed = run("probe", by_address, *LONG_TIMEOUT, env=trusted)
    assert completed.code == 1
    assert f"probe: {by_address}: the certificate is not accepted: IP address mismatch" in completed.line


def test_an_insecure_probe_accepts_any_certificate_but_not_any_answer(servers: Servers) -> None:
    by_address = servers.urls["tls"].replace("localhost", "127.0.0.1")
    assert run("probe", f"{by_address}/readyz", *LONG_TIMEOUT, "--insecure").code == 0
    completed = run("probe", f"{by_address}/readyz/no-such-check", *LONG_TIMEOUT, "--insecure")
    assert (completed.code, completed.line.rpartition(": ")[2]) == (1, "answered 404; expected 200-299")


def test_http_on_a_tls_port_and_tls_on_an_http_port_are_reported(servers: Servers) -> None:
    completed = run("probe", servers.urls["healthy"].replace("http:", "https:") + "/", *LONG_TIMEOUT)
    assert (completed.code, completed.line.partition("/: ")[2]) == (1, "TLS failed: wrong version number")
    completed = run("probe", servers.urls["tls"].replace("https:", "http:"), *LONG_TIMEOUT)
    assert completed.code == 1
    assert "closed" in completed.line or "expected an HTTP/1.1 answer" in completed.line


def hang(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


@pytest.mark.parametrize("handle", [hang, respond_slowly(b"\x16\x03\x03\x3f\xff", b"\x02")])
def test_a_slow_tls_handshake_ends_at_the_deadline(handle: Handler, capsys: pytest.CaptureFixture[str]) -> None:
    from asgi_health.cli.main import main

    with scripted(handle) as url:
        assert main(["probe", url.replace("http:", "https:"), "--timeout", "0.3"]) == 1
    assert capsys.readouterr().err.endswith(": timed out after 0.3 s in the TLS handshake\n")


def test_a_slow_answer_over_tls_ends_at_the_deadline(capsys: pytest.CaptureFixture[str]) -> None:
    from asgi_health.cli.main import main

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)

    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            respond_slowly(b"HTTP/1.1 200 OK\r\n", b"A")(wrapped)

    with listening(handle) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        assert main(["probe", url, "--timeout", "1", "--insecure"]) == 1
    assert capsys.readouterr().err.endswith(": timed out after 1 s in the middle of the answer\n")
