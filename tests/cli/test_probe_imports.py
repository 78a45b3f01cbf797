"""The modules that a probe imports: few and small, because containers run a probe every few seconds."""

import re
import sys

import pytest

from .command import respond_with, run, scripted

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
UNAVAILABLE = b"HTTP/1.1 503 A\r\nContent-Length: 0\r\n\r\n"

PROBE = "import sys; sys.argv[1:] = {arguments}; from asgi_health.cli.start import start; start()"


def imported(program: str) -> tuple[int, set[str]]:
    """Return the exit code of `program` and the names of all modules that it imports."""
    # Without `site`, which imports what other distributions ask it to. By itself it imports os.
    completed = run("-S", "-X", "importtime", "-c", program, command=(sys.executable,))
    return completed.code, set(re.findall(r"^import time:.*\| +(\S+)$", completed.err, re.MULTILINE))


@pytest.mark.parametrize("response", [OK, UNAVAILABLE], ids=["healthy", "unhealthy"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_probe_imports_eight_small_modules_and_the_c_module_of_sockets(host: str, response: bytes) -> None:
    with scripted(respond_with(response)) as url:
        arguments = ["probe", url.replace("127.0.0.1", host), "--timeout=30", "--header", "A: b", "--verbose"]
        code, with_probe = imported(PROBE.format(arguments=arguments))
    assert code == (response == UNAVAILABLE)
    _, without = imported("import os")
    modules = {"start", "arguments", "target", "probe", "connection", "http_response"}
    assert with_probe - without == {
        "_socket",
        "asgi_health",
        "asgi_health.cli",
        *(f"asgi_health.cli.{name}" for name in modules),
    }
