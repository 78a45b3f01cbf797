"""What a probe needs of the interpreter: next to nothing, or it would cost more than the app that it asks."""

import re
import sys

import pytest

from .command import run, saying, scripted

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
ILL = b"HTTP/1.1 503 A\r\nContent-Length: 0\r\n\r\n"

PROBE = "import sys; sys.argv[1:] = {arguments}; from asgi_health.cli.start import start; start()"


def imported(program: str) -> tuple[int, set[str]]:
    """The exit code, and the names of all modules that were imported for it."""
    # Without `site`, which imports what other distributions ask it to; of its own it imports os.
    ended = run("-S", "-X", "importtime", "-c", program, command=(sys.executable,))
    return ended.code, set(re.findall(r"^import time:.*\| +(\S+)$", ended.err, re.MULTILINE))


@pytest.mark.parametrize("answer", [OK, ILL], ids=["healthy", "unhealthy"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_probe_imports_eight_small_modules_and_the_socket_of_c(host: str, answer: bytes) -> None:
    with scripted(saying(answer)) as url:
        arguments = ["probe", url.replace("127.0.0.1", host), "--timeout=30", "--header", "A: b", "--verbose"]
        code, with_probe = imported(PROBE.format(arguments=arguments))
    assert code == (answer == ILL)
    _, without = imported("import os")
    rooms = {"start", "arguments", "target", "probe", "connection", "answer"}
    assert with_probe - without == {
        "_socket",
        "asgi_health",
        "asgi_health.cli",
        *(f"asgi_health.cli.{name}" for name in rooms),
    }
