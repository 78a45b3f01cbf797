"""Reading a response: correct for every framing, bounded and safe for everything else."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health.cli.http_response import BODY_LIMIT, HEAD_LIMIT, BadResponse, read_response


def pieces(data: bytes, sizes: list[int] | None = None) -> Callable[[], bytes]:
    """Return a function that returns `data` in pieces of `sizes`, and the rest in one piece."""
    left, wanted = [data], iter(sizes or [])

    def receive() -> bytes:
        size = next(wanted, len(left[0]))
        piece, left[0] = left[0][:size], left[0][size:]
        return piece

    return receive


def read(data: bytes, sizes: list[int] | None = None) -> tuple[int, bytes] | str:
    try:
        response = read_response(pieces(data, sizes))
    except BadResponse as error:
        return str(error)
    return response.status, response.body


def chunked(body: bytes, sizes: list[int]) -> bytes:
    out = b""
    for size in [*sizes, len(body) or 1]:
        chunk, body = body[:size], body[size:]
        if chunk:
            out += b"%x;name=value\r\n%s\r\n" % (len(chunk), chunk)
    return out + b"0\r\nTrailer: a\r\n\r\n"


sizes = st.lists(st.integers(1, 5000), max_size=20)
bodies = st.one_of(st.binary(max_size=200), st.integers(0, 3 * BODY_LIMIT).map(lambda count: b"x" * count))


@given(
    st.sampled_from([200, 301, 404, 503]),
    bodies,
    st.sampled_from(["length", "chunked", "close"]),
    st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" * 3]),
    sizes,
    sizes,
)
def test_status_and_body_are_read_for_every_framing_and_every_split(
    status: int, body: bytes, framing: str, interim: bytes, chunks: list[int], cuts: list[int]
) -> None:
    headers, framed = {
        "length": (b"content-length:%d\r\n" % len(body), body),
        "chunked": (b"Transfer-Encoding: gzip, Chunked \r\n", chunked(body, chunks)),
        "close": (b"Server: a\r\n", body),
    }[framing]
    data = interim + b"HTTP/1.1 %d Some Reason\r\n" % status + headers + b"\r\n" + framed
    assert read(data, cuts) == (status, body[:BODY_LIMIT])


@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(
                [
                    b"HTTP/1.1 ",
                    b"200",
                    b" OK",
                    b"\r\n",
                    b"\n",
                    b"Content-Length: ",
                    b"5",
                    b"Transfer-Encoding: chunked",
                    b":",
                ]
            ),
            max_size=20,
        ).map(b"".join),
    ),
    sizes,
)
def test_random_bytes_give_the_same_result_for_every_split(data: bytes, cuts: list[int]) -> None:
    assert read(data, cuts) == read(data)


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_ends_the_response_at_its_headers(status: int) -> None:
    receive = pieces(b"HTTP/1.1 %d\r\nContent-Length: 5\r\n\r\n" % status)
    response = read_response(receive)
    assert (response.status, response.body) == (status, b"")


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the connection was closed without an answer"),
        (b"HTTP/1.1 2", "in the middle of the answer"),
        (OK, "in the middle of the answer"),
        (OK + b"Content-Length: 5\r\n\r\nabcd", "in the middle of the answer"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", "in the middle of the answer"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "in the middle of the answer"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n\r\n", "a chunk has no size"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", "a chunk has no size"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n", "a chunk has no size"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "a chunk is longer than its size"),
        (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", "not one number"),
        (OK + b"Content-Length: 5, 6\r\n\r\nabcdef", "not one number"),
        (OK + b"Content-Length: -5\r\n\r\n", "not one number"),
        (OK + b"Content-Length:\r\n\r\n", "not one number"),
        (OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", "not one number"),
        (OK + b"no header\r\n\r\n", "expected a header, got 'no header'"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "expected an HTTP/1.1 answer, got 'SSH-2.0-OpenSSH_9.6'"),
        (b"\x15\x03\x03\x00\x02\x02\n", r"got '\x15\x03\x03\x00\x02\x02'"),
        (b"HTTP/2 200\r\n\r\n", "expected an HTTP/1.1 answer"),
        (b"HTTP/1.1 2000\r\n\r\n", "expected an HTTP/1.1 answer"),
        (b"HTTP/1.1 20\r\n\r\n", "expected an HTTP/1.1 answer"),
        (b"HTTP/1.1 099 \r\n\r\n", "expected an HTTP/1.1 answer"),
        (b"HTTP/1.1 600 \r\n\r\n", "expected an HTTP/1.1 answer"),
        (b"200 OK\r\n\r\n", "expected an HTTP/1.1 answer"),
        (b"\r\n" + OK, "expected an HTTP/1.1 answer, got ''"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x00\n", "expected an HTTP/1.1 answer"),
    ],
)
def test_an_incomplete_or_invalid_response_has_a_reason(data: bytes, reason: str) -> None:
    result = read(data)
    assert isinstance(result, str)
    assert reason in result


@pytest.mark.parametrize(
    "same", [b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", b"Content-Length: 2, 2\r\n\r\nok"]
)
def test_a_repeated_equal_content_length_is_accepted(same: bytes) -> None:
    assert read(OK + same) == (200, b"ok")


def test_a_folded_line_is_not_read_as_a_header() -> None:
    assert read(OK + b"A: b\r\n Content-Length: 9\r\nContent-Length: 2\r\n\r\nok") == (200, b"ok")


@pytest.mark.parametrize(
    "forever", [OK + b"A" * 100_000, OK + b"A: b\r\n" * 20_000, b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000]
)
def test_endless_headers_are_refused(forever: bytes) -> None:
    received: list[bytes] = []
    next_piece = pieces(forever, [4096] * 100)

    def receive() -> bytes:
        received.append(next_piece())
        return received[-1]

    with pytest.raises(BadResponse, match=f"more than {HEAD_LIMIT} bytes of headers"):
        read_response(receive)
    assert sum(map(len, received)) <= HEAD_LIMIT + 2 * 4096


@pytest.mark.parametrize("headers", [b"", b"Content-Length: 999999999999\r\n"])
def test_an_endless_body_is_read_up_to_the_limit(headers: bytes) -> None:
    sent = 0

    def receive() -> bytes:
        nonlocal sent
        sent += 4096
        return OK + headers + b"\r\n" if sent == 4096 else b"x" * 4096

    assert read_response(receive).body == b"x" * BODY_LIMIT
    assert sent <= BODY_LIMIT + 2 * 4096
