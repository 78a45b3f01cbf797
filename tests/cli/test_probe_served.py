"""The command as it is installed, against real servers: exit codes, stdout, stderr."""

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

from .command import SCRIPT, Handler, listening, run, saying, scripted, served, trickling

COMMANDS = {"script": (str(SCRIPT),), "module": (sys.executable, "-m", "asgi_health")}
PATIENCE = ("--timeout", "30")


@dataclass(frozen=True)
class Site:
    """Where the servers are."""

    urls: dict[str, str]
    authority: Path
    """The certificate of who has signed theirs."""


@contextmanager
def serving(stack: ExitStack, app: str, listener: socket.socket, *arguments: str) -> Iterator[None]:
    with listener, served(f"{__package__}.target:{app}", *arguments, listener=listener):
        yield


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Servers in processes of their own, over TCP, a unix socket and TLS."""
    folder = tmp_path_factory.mktemp("site")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    with ExitStack() as stack:
        urls: dict[str, str] = {}
        for app in ("well", "ill"):
            listener = socket.create_server(("127.0.0.1", 0))
            urls[app] = f"http://127.0.0.1:{listener.getsockname()[1]}"
            stack.enter_context(serving(stack, app, listener))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.fspath(folder / "s"))
        listener.listen()
        urls["unix"] = f"unix:{folder}/s:"
        stack.enter_context(serving(stack, "well", listener))
        listener = socket.create_server(("127.0.0.1", 0))
        urls["tls"] = f"https://localhost:{listener.getsockname()[1]}"
        stack.enter_context(serving(stack, "well", listener, "--ssl-certfile", f"{folder}/server.pem"))
        site = Site(urls, folder / "ca.pem")
        for url in urls.values():  # a server is slow to start, and what is tried below is not
            run("wait", f"{url}/livez", *PATIENCE, "--insecure")
        run("wait", urls["well"] + "/readyz", urls["unix"] + "/readyz", *PATIENCE)
        yield site


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("name", ["well", "unix"])
def test_what_is_healthy_exits_with_0_and_without_a_word(site: Site, name: str, command: tuple[str, ...]) -> None:
    ended = run("probe", f"{site.urls[name]}/readyz", *PATIENCE, command=command)
    assert (ended.code, ended.out, ended.err) == (0, "", "")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_what_is_not_ready_exits_with_1_and_one_line(site: Site, command: tuple[str, ...]) -> None:
    url = f"{site.urls['ill']}/readyz"
    ended = run("probe", url, *PATIENCE, command=command)
    name = "asgi-health" if command == (str(SCRIPT),) else "python -m asgi_health"
    assert (ended.code, ended.out) == (1, "")
    assert ended.line == f"{name} probe: {url}: answered 503; expected 200-299"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_wrong_arguments_exit_with_2(command: tuple[str, ...]) -> None:
    for arguments in (["probe"], ["probe", "localhost:8000"], ["probe", "http://a/", "--timeout", "0"]):
        ended = run(*arguments, command=command)
        assert (ended.code, ended.out) == (2, "")
        assert "Traceback" not in ended.err
        assert ": error: " in ended.err.splitlines()[-1]


def test_verbose_prints_the_body_of_what_is_healthy_and_of_what_is_not(site: Site) -> None:
    ended = run("probe", f"{site.urls['well']}/readyz?format=text", *PATIENCE, "--verbose")
    assert (ended.code, ended.out, ended.err) == (0, "[+]database ok\nreadyz check passed\n", "")
    ended = run("probe", f"{site.urls['ill']}/readyz?format=text", *PATIENCE, "--verbose")
    assert (ended.code, ended.out) == (
        1,
        "[+]database ok\n[-]payments failed: ConnectionError: payments refuse the connection\nreadyz check failed\n",
    )
    assert ended.line.endswith("/readyz: answered 503; expected 200-299")


def test_a_body_is_printed_as_it_is() -> None:
    body = bytes(range(256)) * 100
    with scripted(saying(b"HTTP/1.1 200 OK\r\n\r\n" + body)) as url:
        command = [sys.executable, "-m", "asgi_health", "probe", url, "--verbose"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    assert (done.returncode, done.stdout) == (0, body[:10240])


def test_on_a_terminal_the_body_has_no_control_characters() -> None:
    body = "fine\n\ttab \x1b[31mred\x1b]0;title\x07\r\x00\x7f\x9b2J\u202e Grüße\n".encode() + b"\xff"
    with scripted(saying(b"HTTP/1.1 200 OK\r\n\r\n" + body)) as url:
        reader, writer = pty.openpty()
        tty.setraw(writer)  # or the terminal would turn ends of lines into something else
        try:
            command = [sys.executable, "-m", "asgi_health", "probe", url, *PATIENCE, "--verbose"]
            assert subprocess.run(command, stdout=writer, check=False).returncode == 0
            shown = os.read(reader, 4096).decode()
        finally:
            os.close(writer)
            os.close(reader)
    assert all(char.isprintable() or char in "\n\t" for char in shown)
    assert shown.startswith("fine\n\ttab ")
    assert "Grüße\n" in shown


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-", "1>/dev/full", "2>/dev/full"])
def test_the_exit_code_is_right_where_nobody_listens(site: Site, closed: str) -> None:
    for name, code in (("well", 0), ("ill", 1)):
        script = f'"$0" -m asgi_health probe "$1" --timeout 30 --verbose {closed}'
        ended = run("-c", script, sys.executable, f"{site.urls[name]}/readyz", command=("sh",))
        assert ended.code == code
        assert "Traceback" not in ended.err
        assert "Exception ignored" not in ended.err


def test_a_certificate_is_verified(site: Site) -> None:
    url = f"{site.urls['tls']}/readyz"
    trusted = {"SSL_CERT_FILE": os.fspath(site.authority)}
    ended = run("probe", url, *PATIENCE, env=trusted)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    ended = run("probe", url, *PATIENCE)
    assert ended.code == 1
    assert f"probe: {url}: the certificate is not accepted: unable to get local issuer" in ended.line
    by_address = url.replace("localhost", "127.0.0.1")
    ended = run("probe", by_address, *PATIENCE, env=trusted)
    assert ended.code == 1
    assert f"probe: {by_address}: the certificate is not accepted: IP address mismatch" in ended.line


def test_an_insecure_probe_takes_any_certificate_and_still_wants_a_healthy_answer(site: Site) -> None:
    by_address = site.urls["tls"].replace("localhost", "127.0.0.1")
    assert run("probe", f"{by_address}/readyz", *PATIENCE, "--insecure").code == 0
    ended = run("probe", f"{by_address}/readyz/no-such-check", *PATIENCE, "--insecure")
    assert (ended.code, ended.line.rpartition(": ")[2]) == (1, "answered 404; expected 200-299")


def test_one_language_spoken_to_the_other_is_told(site: Site) -> None:
    ended = run("probe", site.urls["well"].replace("http:", "https:") + "/", *PATIENCE)
    assert (ended.code, ended.line.partition("/: ")[2]) == (1, "TLS failed: wrong version number")
    ended = run("probe", site.urls["tls"].replace("https:", "http:"), *PATIENCE)
    assert ended.code == 1
    assert "closed" in ended.line or "expected an HTTP/1.1 answer" in ended.line


def hang(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


@pytest.mark.parametrize("handle", [hang, trickling(b"\x16\x03\x03\x3f\xff", b"\x02")])
def test_a_handshake_that_hangs_or_trickles_ends_at_the_deadline(
    handle: Handler, capsys: pytest.CaptureFixture[str]
) -> None:
    from asgi_health.cli.main import main

    def trickle(connection: socket.socket) -> None:
        handle(connection)

    with scripted(trickle) as url:
        assert main(["probe", url.replace("http:", "https:"), "--timeout", "0.3"]) == 1
    assert capsys.readouterr().err.endswith(": timed out after 0.3 s in the TLS handshake\n")


def test_an_answer_over_tls_that_trickles_ends_at_the_deadline(capsys: pytest.CaptureFixture[str]) -> None:
    from asgi_health.cli.main import main

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)

    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            trickling(b"HTTP/1.1 200 OK\r\n", b"A")(wrapped)

    with listening(handle) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        assert main(["probe", url, "--timeout", "1", "--insecure"]) == 1
    assert capsys.readouterr().err.endswith(": timed out after 1 s in the middle of the answer\n")
