"""Read an HTTP/1.1 response from an untrusted server, up to a fixed size.

Not http.client: it imports all of email, and a probe would take 4.0 times as long as `python -c pass`.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_LIMIT = 65536
"""Maximum bytes of status lines, headers, chunk sizes and trailers together."""

BODY_LIMIT = 10240
"""Maximum bytes of a body that a probe reads, as a kubelet does. A longer body is cut there and counts as complete."""


class BadResponse(Exception):
    """The bytes are not an HTTP response, or only a part of one."""


class Response:
    """The status and the body, up to the limit of the reader."""

    __slots__ = ("body", "status")

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body


def read_response(receive: "Callable[[], bytes]", limit: int = BODY_LIMIT) -> Response:
    """Return the response that `receive` delivers.

    Args:
        receive: Returns the next bytes of the connection, b"" at its end. Its exceptions are passed on.
        limit: Maximum bytes of the body.

    Raises:
        BadResponse: The bytes are not a complete HTTP/1.1 response.
    """
    reader = _Reader(receive)
    while True:
        status = _parse_status_line(reader.read_line())
        chunked, length = _read_headers(reader)
        if status >= 200:  # below 200 are interim responses: 100 Continue, 103 Early Hints
            break
    if status in (204, 304):
        return Response(status, b"")
    if chunked:
        return Response(status, _read_chunks(reader, limit))
    if length is None:
        return Response(status, reader.read_to_end(limit))
    return Response(status, reader.read_exactly(min(length, limit)))


class _Reader:
    """Reads lines and bytes from one connection."""

    def __init__(self, receive: "Callable[[], bytes]") -> None:
        self._receive = receive
        self._buffer = bytearray()
        self._received_any = False
        self._head_bytes_left = HEAD_LIMIT

    def read_line(self) -> bytes:
        """Return the next line without its line ending."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            self._require_head_within_limit(searched)
            self._fill()
        self._require_head_within_limit(end + 1)
        self._head_bytes_left -= end + 1
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def read_exactly(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        while len(self._buffer) < count:
            self._fill()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def read_to_end(self, limit: int) -> bytes:
        """Return the bytes until the end of the connection, at most `limit` of them."""
        while len(self._buffer) < limit:
            data = self._receive()
            if not data:
                break
            self._buffer += data
        return bytes(self._buffer[:limit])

    def _fill(self) -> None:
        data = self._receive()
        if not data:
            when = "in the middle of the answer" if self._received_any else "without an answer"
            raise BadResponse(f"the connection was closed {when}")
        self._received_any = True
        self._buffer += data

    def _require_head_within_limit(self, count: int) -> None:
        if count > self._head_bytes_left:
            raise BadResponse(f"more than {HEAD_LIMIT} bytes of headers")


def _parse_status_line(line: bytes) -> int:
    version, _, rest = line.partition(b" ")
    code = rest[:3]
    good = version[:7] == b"HTTP/1." and version[7:].isdigit() and len(code) == 3 and code.isdigit()
    if not good or rest[3:4] not in (b"", b" ") or not 100 <= int(code) <= 599:
        raise BadResponse(f"expected an HTTP/1.1 answer, got {line[:40].decode('latin-1')!a}")
    return int(code)


def _read_headers(reader: _Reader) -> tuple[bool, int | None]:
    """Return whether the body is chunked, and its Content-Length if it has one."""
    chunked = False
    lengths: set[bytes] = set()
    while line := reader.read_line():
        if line[:1] in (b" ", b"\t"):  # the continuation of a header (obs-fold; RFC 9112, 5.2)
            continue
        name, colon, value = line.partition(b":")
        if not colon:
            raise BadResponse(f"expected a header, got {line[:40].decode('latin-1')!a}")
        name = name.lower()
        if name == b"transfer-encoding":
            chunked = value.strip().lower().endswith(b"chunked")
        elif name == b"content-length":
            lengths.update(each.strip() for each in value.split(b","))
    if chunked or not lengths:
        return chunked, None
    length = lengths.pop()
    if lengths or not length.isdigit() or len(length) > 18:
        raise BadResponse("the Content-Length is not one number")
    return False, int(length)


def _read_chunks(reader: _Reader, limit: int) -> bytes:
    body = b""
    while len(body) < limit:
        size = reader.read_line().partition(b";")[0].strip()
        if not size or len(size) > 16 or not all(digit in b"0123456789abcdefABCDEF" for digit in size):
            raise BadResponse("a chunk has no size")
        count = int(size, 16)
        if count == 0:
            while reader.read_line():  # trailers
                pass
            break
        size_to_read = min(count, limit - len(body))
        body += reader.read_exactly(size_to_read)
        if size_to_read == count and reader.read_line():
            raise BadResponse("a chunk is longer than its size")
    return body
