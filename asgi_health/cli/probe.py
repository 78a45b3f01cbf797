"""Ask one URL once, and say by the exit code how that went."""

import os
import sys

from .answer import BadAnswer, read_answer
from .arguments import Wanted, program
from .connection import Deadline, Unreachable, connect, secure, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .connection import Connection


class Outcome:
    """How it went."""

    __slots__ = ("body", "healthy", "why")

    def __init__(self, *, healthy: bool = False, why: str = "", body: bytes = b"") -> None:
        self.healthy = healthy
        self.why = why
        """Why it is not healthy; empty when it is."""
        self.body = body


def probe(wanted: Wanted) -> int:
    """Return 0 when what is asked is healthy, 1 when it is not; then a line on stderr says why."""
    outcome = ask(wanted)
    if wanted.verbose:
        _show(outcome.body)
    if outcome.healthy:
        return 0
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison]  it is None where it was closed
        return 1
    try:
        print(f"{program()} probe: {wanted.target.shown}: {outcome.why}", file=sys.stderr)
    except OSError:  # nobody reads it; the exit code still tells
        pass
    return 1


def ask(wanted: Wanted) -> Outcome:
    """Return what came of one request. Never raises, and never takes longer than `wanted` allows."""
    exchange = _Exchange(wanted)
    try:
        return exchange.run()
    except (BadAnswer, Unreachable) as error:
        return Outcome(why=str(error))
    except OSError as error:
        if isinstance(error, TimeoutError) and not error.errno:
            return Outcome(why=f"timed out after {round(wanted.timeout, 2):g} s {exchange.doing}")
        return Outcome(why=words(error))


class _Exchange:
    """One request, and how far it has come."""

    def __init__(self, wanted: Wanted) -> None:
        self.doing = "while connecting"
        self._wanted = wanted
        self._deadline = Deadline(wanted.timeout)

    def run(self) -> Outcome:
        wanted = self._wanted
        connection: Connection = connect(wanted.target, self._deadline)
        try:
            if wanted.target.secure:
                self.doing = "in the TLS handshake"
                connection = secure(connection, wanted.target.host, insecure=wanted.insecure, deadline=self._deadline)
            self.doing = "without an answer"
            return self._judged(connection)
        finally:
            connection.close()

    def _judged(self, connection: "Connection") -> Outcome:
        try:
            connection.settimeout(self._deadline.left())
            connection.sendall(_request(self._wanted))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may have answered all the same: that it wants no request

        def receive() -> bytes:
            connection.settimeout(self._deadline.left())
            data = connection.recv(16384)
            self.doing = "in the middle of the answer"
            return data

        answer = read_answer(receive)
        expected = self._wanted.expected
        if answer.status in expected if expected else 200 <= answer.status <= 299:
            return Outcome(healthy=True, body=answer.body)
        told = " or ".join(map(str, expected)) if expected else "200-299"
        note = ", a redirect, which is not followed" if 300 <= answer.status <= 399 else ""
        return Outcome(why=f"answered {answer.status}{note}; expected {told}", body=answer.body)


def _request(wanted: Wanted) -> bytes:
    given = {name.lower() for name, _ in wanted.headers}
    ours = (
        ("Host", wanted.target.authority),
        ("User-Agent", "asgi-health"),
        ("Accept", "*/*"),
        ("Connection", "close"),
    )
    headers = [*(each for each in ours if each[0].lower() not in given), *wanted.headers]
    lines = [f"GET {wanted.target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("ascii")


def _show(body: bytes) -> None:
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]  it is None where it was closed
        return
    try:
        if os.isatty(1):
            body = _printable(body)
        while body:  # not through sys.stdout, which would complain at the end about a reader that has gone
            body = body[os.write(1, body) :]
    except OSError:
        pass


def _printable(body: bytes) -> bytes:
    """Return `body` without what a terminal would obey instead of showing it."""
    text = body.decode("utf-8", "replace")
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text).encode()
