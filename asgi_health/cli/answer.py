"""Read an HTTP/1.1 answer from whoever may have sent it: bounded, and never more than was asked for.

http.client imports the whole of email, which takes five times as long as a probe may.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_LIMIT = 65536
"""Bytes of status lines, headers and chunk sizes, all together, before it is called endless."""

BODY_LIMIT = 10240
"""Bytes of a body that are read, as by a kubelet. What is longer is cut there, and counts as whole."""


class BadAnswer(Exception):
    """What came is no HTTP answer, or only a part of one."""


class Answer:
    """A status and the beginning of the body."""

    __slots__ = ("body", "status")

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body


def read_answer(receive: "Callable[[], bytes]") -> Answer:
    """Return the answer in the bytes that `receive` gives piece by piece, and b"" at their end. Raises BadAnswer.

    What `receive` raises comes out as it is.
    """
    wire = _Wire(receive)
    while True:
        status = _status(wire.line())
        chunked, length = _framing(wire)
        if status >= 200:  # below are interim answers: 100 Continue, 103 Early Hints
            break
    if status in (204, 304):
        return Answer(status, b"")
    if chunked:
        return Answer(status, _chunks(wire))
    if length is None:
        return Answer(status, wire.rest(BODY_LIMIT))
    return Answer(status, wire.exactly(min(length, BODY_LIMIT)))


class _Wire:
    """The bytes of one connection."""

    def __init__(self, receive: "Callable[[], bytes]") -> None:
        self._receive = receive
        self._buffer = bytearray()
        self._seen = False
        self._budget = HEAD_LIMIT

    def line(self) -> bytes:
        """Return the next line without its end."""
        looked = 0
        while (end := self._buffer.find(b"\n", looked)) < 0:
            looked = len(self._buffer)
            self._spend(looked, final=False)
            self._fill()
        self._spend(end + 1, final=True)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def exactly(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        while len(self._buffer) < count:
            self._fill()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def rest(self, limit: int) -> bytes:
        """Return what comes until the end, at most `limit` bytes of it."""
        while len(self._buffer) < limit:
            data = self._receive()
            if not data:
                break
            self._buffer += data
        return bytes(self._buffer[:limit])

    def _fill(self) -> None:
        data = self._receive()
        if not data:
            raise BadAnswer(
                "the connection was closed " + ("in the middle of the answer" if self._seen else "unanswered")
            )
        self._seen = True
        self._buffer += data

    def _spend(self, count: int, *, final: bool) -> None:
        if count > self._budget:
            raise BadAnswer(f"more than {HEAD_LIMIT} bytes of headers")
        if final:
            self._budget -= count


def _status(line: bytes) -> int:
    version, _, rest = line.partition(b" ")
    code = rest[:3]
    good = version[:7] == b"HTTP/1." and version[7:].isdigit() and len(code) == 3 and code.isdigit()
    if not good or rest[3:4] not in (b"", b" ") or not 100 <= int(code) <= 599:
        raise BadAnswer(f"expected an HTTP/1.1 answer, got {line[:40].decode('latin-1')!a}")
    return int(code)


def _framing(wire: _Wire) -> tuple[bool, int | None]:
    """Read the headers and return whether the body comes in chunks, and its length where that is told."""
    chunked = False
    lengths: set[bytes] = set()
    while line := wire.line():
        if line[:1] in (b" ", b"\t"):  # the continuation of a header, obsolete
            continue
        name, colon, value = line.partition(b":")
        if not colon:
            raise BadAnswer(f"expected a header, got {line[:40].decode('latin-1')!a}")
        name = name.lower()
        if name == b"transfer-encoding":
            chunked = value.strip().lower().endswith(b"chunked")
        elif name == b"content-length":
            lengths.update(each.strip() for each in value.split(b","))
    if chunked or not lengths:
        return chunked, None
    length = lengths.pop()
    if lengths or not length.isdigit() or len(length) > 18:
        raise BadAnswer("a Content-Length that is not one number")
    return False, int(length)


def _chunks(wire: _Wire) -> bytes:
    body = b""
    while len(body) < BODY_LIMIT:
        size = wire.line().partition(b";")[0].strip()
        if not size or len(size) > 16 or not all(digit in b"0123456789abcdefABCDEF" for digit in size):
            raise BadAnswer("a chunk without a size")
        count = int(size, 16)
        if count == 0:
            while wire.line():  # trailers
                pass
            break
        wanted = min(count, BODY_LIMIT - len(body))
        body += wire.exactly(wanted)
        if wanted == count and wire.line():
            raise BadAnswer("a chunk that is longer than its size")
    return body
