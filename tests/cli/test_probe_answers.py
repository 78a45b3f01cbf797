"""Reading an answer: right for every framing, bounded and safe for everything else."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health.cli.answer import BODY_LIMIT, HEAD_LIMIT, BadAnswer, read_answer


def pieces(data: bytes, sizes: list[int] | None = None) -> Callable[[], bytes]:
    """Give `data` in pieces of these sizes, the rest in one."""
    left, wanted = [data], iter(sizes or [])

    def receive() -> bytes:
        size = next(wanted, len(left[0]))
        piece, left[0] = left[0][:size], left[0][size:]
        return piece

    return receive


def read(data: bytes, sizes: list[int] | None = None) -> tuple[int, bytes] | str:
    try:
        answer = read_answer(pieces(data, sizes))
    except BadAnswer as error:
        return str(error)
    return answer.status, answer.body


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
def test_status_and_body_are_found_however_they_are_framed_and_cut(
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
def test_nonsense_is_a_bad_answer_or_none_and_how_it_is_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    assert read(data, cuts) == read(data)


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_is_not_waited_for(status: int) -> None:
    asked = pieces(b"HTTP/1.1 %d\r\nContent-Length: 5\r\n\r\n" % status)
    answer = read_answer(asked)
    assert (answer.status, answer.body) == (status, b"")


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the connection was closed unanswered"),
        (b"HTTP/1.1 2", "in the middle of the answer"),
        (OK, "in the middle of the answer"),
        (OK + b"Content-Length: 5\r\n\r\nabcd", "in the middle of the answer"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", "in the middle of the answer"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "in the middle of the answer"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n\r\n", "a chunk without a size"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", "a chunk without a size"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n", "a chunk without a size"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "a chunk that is longer than its size"),
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
def test_what_is_no_whole_answer_is_told(data: bytes, why: str) -> None:
    told = read(data)
    assert isinstance(told, str)
    assert why in told


@pytest.mark.parametrize(
    "same", [b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", b"Content-Length: 2, 2\r\n\r\nok"]
)
def test_a_length_that_is_told_twice_is_still_that_length(same: bytes) -> None:
    assert read(OK + same) == (200, b"ok")


def test_a_folded_header_is_not_taken_for_one() -> None:
    assert read(OK + b"A: b\r\n Content-Length: 9\r\nContent-Length: 2\r\n\r\nok") == (200, b"ok")


@pytest.mark.parametrize(
    "forever", [OK + b"A" * 100_000, OK + b"A: b\r\n" * 20_000, b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000]
)
def test_headers_without_end_are_given_up(forever: bytes) -> None:
    taken: list[bytes] = []
    give = pieces(forever, [4096] * 100)

    def receive() -> bytes:
        taken.append(give())
        return taken[-1]

    with pytest.raises(BadAnswer, match=f"more than {HEAD_LIMIT} bytes of headers"):
        read_answer(receive)
    assert sum(map(len, taken)) <= HEAD_LIMIT + 2 * 4096


@pytest.mark.parametrize("headers", [b"", b"Content-Length: 999999999999\r\n"])
def test_of_a_body_without_end_the_beginning_is_read(headers: bytes) -> None:
    given = 0

    def receive() -> bytes:
        nonlocal given
        given += 4096
        return OK + headers + b"\r\n" if given == 4096 else b"x" * 4096

    assert read_answer(receive).body == b"x" * BODY_LIMIT
    assert given <= BODY_LIMIT + 2 * 4096
