"""The arguments of a probe: two parsers that must agree, and values that are refused."""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asgi_health.cli.arguments import (
    ProbeRequest,
    parse_count,
    parse_fast,
    parse_header,
    parse_seconds,
    parse_status,
    parse_timeout,
)
from asgi_health.cli.commands.probe import probe_request
from asgi_health.cli.main import main
from asgi_health.cli.parser import build_parser
from asgi_health.cli.target import Target, parse_url


def fields(value: ProbeRequest | Target) -> dict[str, Any]:
    values = {name: getattr(value, name) for name in type(value).__slots__}
    return {name: fields(each) if isinstance(each, Target) else each for name, each in values.items()}


def parse_with_argparse(arguments: list[str]) -> ProbeRequest | None:
    """Return the request that argparse reads; None if it ends the process."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            return probe_request(build_parser().parse_args(["probe", *arguments]))
        except SystemExit:
            return None


OPTIONS = ["--timeout", "--header", "--expect-status", "--max-age", "--verbose", "--insecure"]
VALUES = [
    "http://a/",
    "unix:/s:/p",
    "file:/f",
    "1",
    "-1",
    "2.5",
    "0",
    "nan",
    "200",
    "503",
    "A: b",
    "A:b",
    "-A: b",
    "-A:b",
    "A",
    "",
    "-",
    "--",
]
arguments = st.lists(
    st.one_of(
        st.sampled_from([*OPTIONS, *VALUES, "-h", "--help", "--time", "--verb", "--json", "-v", "--version"]),
        st.builds(
            lambda name, value: f"{name}={value}", st.sampled_from([*OPTIONS, "--time", "--"]), st.sampled_from(VALUES)
        ),
        st.text(max_size=6),
    ),
    max_size=7,
)


@given(arguments)
@example(["--timeout", "-1", "http://a/"])
@example(["--header", "-A:b", "http://a/"])
@example(["--header=", "http://a/"])
@example(["--timeout=", "1", "http://a/"])
@example(["--", "http://a/"])
@example(["http://a/", "http://b/"])
@example(["--verbose=", "http://a/"])
@example(["http://a/", "--header"])
@example(["http://a/", "--header", "--verbose"])
@example(["-h", "http://a/"])
def test_arguments_that_the_fast_parser_accepts_mean_the_same_to_argparse(arguments: list[str]) -> None:
    fast = parse_fast(arguments)
    if fast is not None:
        full = parse_with_argparse(arguments)
        assert full is not None
        assert fields(fast) == fields(full)


VALID_OPTIONS = st.lists(
    st.sampled_from(
        [
            ("--timeout", "3"),
            ("--header", "A: b"),
            ("--expect-status", "503"),
            ("--verbose",),
            ("--insecure",),
            ("--max-age", "5"),
        ]
    ),
    max_size=5,
)


@given(VALID_OPTIONS, VALID_OPTIONS, st.booleans())
def test_the_common_form_needs_no_argparse(
    before: list[tuple[str, ...]], after: list[tuple[str, ...]], joined: bool
) -> None:
    shape = (lambda option: ["=".join(option)]) if joined else list
    options = [[part for option in side for part in shape(option)] for side in (before, after)]
    assert parse_fast([*options[0], "http://127.0.0.1:8000/readyz", *options[1]]) is not None


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority", "secure"),
    [
        ("http://a", "a", 80, "/", "a", False),
        ("http://a/", "a", 80, "/", "a", False),
        ("http://a?b=/c", "a", 80, "/?b=/c", "a", False),
        ("http://a#b", "a", 80, "/", "a", False),
        ("http://a:8000/b?c#d", "a", 8000, "/b?c", "a:8000", False),
        ("https://a", "a", 443, "/", "a", True),
        ("HTTPS://A.example:1/b", "A.example", 1, "/b", "A.example:1", True),
        ("http://[::1]/a", "::1", 80, "/a", "[::1]", False),
        ("http://[::1]:8/a", "::1", 8, "/a", "[::1]:8", False),
        ("http://[fe80::1%25eth0]:8/a", "fe80::1%eth0", 8, "/a", "[fe80::1]:8", False),
        ("https://a.b./c", "a.b.", 443, "/c", "a.b.", True),
        ("http://a_b-c.d/:@", "a_b-c.d", 80, "/:@", "a_b-c.d", False),
    ],
)
def test_a_url_is_split_into_host_port_and_path(
    url: str, host: str, port: int, path: str, authority: str, secure: bool
) -> None:
    target = parse_url(url)
    assert (target.host, target.port, target.path) == (host, port, path)
    assert (target.authority, target.secure, target.socket) == (authority, secure, "")


@pytest.mark.parametrize(
    ("url", "socket", "path"),
    [
        ("unix:/run/app.sock:/livez", "/run/app.sock", "/livez"),
        ("unix:/run/app.sock", "/run/app.sock", "/"),
        ("unix:///run/app.sock:/livez?a=b#c", "///run/app.sock", "/livez?a=b"),
        ("unix:app.sock:/a:/b", "app.sock", "/a:/b"),
        ("unix:/with space/a:b:/", "/with space/a:b", "/"),
    ],
)
def test_a_unix_socket_is_written_as_in_nginx(url: str, socket: str, path: str) -> None:
    target = parse_url(url)
    assert (target.socket, target.path, target.authority) == (socket, path, "localhost")


@pytest.mark.parametrize("url", ["file:/run/app/ready", "file:///run/app/ready"])
def test_a_file_is_named_by_its_path(url: str) -> None:
    assert parse_url(url).file == "/run/app/ready"


INVALID_URLS = [
    "", "a", "/a", "localhost:8000", "ftp://a/", "http:/a", "http:///a", "http://", "http://:80/", "http://a:/",
    "http://a:b/", "http://a:0/", "http://a:65536/", "http://a:99999999999999999999/", "http://a:+80/", "http://a:٨/",
    "http://::1/", "http://[::1/", "http://[]/", "http://[1]/", "http://[::1]8/", "http://[::1%]/", "http://[::1%25 ]/",
    "http://a b/", "http://a/ b", "http://a/\r\nX: y", "http://a\r\n/", "http://a/\0", "http://a/ä", "http://ä/",
    "http://a/\x7f", "http://a/\udcff", "http://u:p@a/", "http://u@a/", "unix:", "unix::/a", "unix:/a:/ b",
    "unix:/\n:/", "unix:/a:/\r\nX: y",
    "file:", "file:a", "file:/", "file://host/a", "file:/a/", "file:////a", "file:/a\n",
    "https://a..b/", "https://.a/", "https://a../", "https://./", f"https://{'a' * 64}/",
]  # fmt: skip


def test_an_invalid_url_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for url in INVALID_URLS:
        assert parse_fast([url]) is None, url
        with pytest.raises(SystemExit) as end:
            main(["probe", url])
        printed = capsys.readouterr()
        assert (end.value.code, printed.out) == (2, ""), url
        assert "error: argument URL: " in printed.err, url


@pytest.mark.parametrize("url", ["http://me:sesame@a/", "ftp://me:sesame@a/", "htp//me:sesame@a/?b=@", "x?key=sesame"])
def test_a_refusal_does_not_repeat_a_password(url: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_url(url)
    assert "sesame" not in str(refusal.value)


@pytest.mark.parametrize("url", ["http://a/b?token=sesame", "unix:/a:/b?token=sesame", "http://a?token=sesame"])
def test_a_message_shows_the_url_without_its_query(url: str) -> None:
    assert parse_url(url).display_url == url.partition("?")[0]


@pytest.mark.parametrize(
    ("text", "header"),
    [("A: b", ("A", "b")), ("A:b:c", ("A", "b:c")), ("A:", ("A", "")), ("x-1_~:\t b c\t", ("x-1_~", "b c"))],
)
def test_a_header_is_a_name_and_a_value(text: str, header: tuple[str, str]) -> None:
    assert parse_header(text) == header


INVALID_HEADERS = [
    "", "sesame", ": sesame", "A b: sesame", "A\r: sesame", "A: sesame\r\nX: y", "A: sesame\n", "Ä: sesame",
    "A: sesameä", "A: sesame\0", "A : sesame", "A: sesame\x7f",
]  # fmt: skip


def test_a_header_that_would_break_the_request_is_refused_without_its_value() -> None:
    for text in INVALID_HEADERS:
        with pytest.raises(ValueError) as refusal:
            parse_header(text)
        assert "sesame" not in str(refusal.value)


@pytest.mark.parametrize(
    ("parse", "texts", "error"),
    [
        (parse_seconds, ["", "0", "-1", "nan", "inf", "1e9", "2s", "1,5", "one"], "is not a number of seconds"),
        (parse_timeout, ["0", "300.1", "2000"], "is not a number of seconds"),
        (parse_count, ["", "0", "-1", "101", "1.5", "٣", "three"], "is not a number from 1 to 100"),
        (
            parse_status,
            ["", "99", "100", "199", "600", "1000", "2xx", "-200", "+200", "２００", "200 "],
            "is not a status",
        ),
    ],
)
def test_a_number_out_of_range_is_refused(parse: Callable[[str], object], texts: list[str], error: str) -> None:
    for text in texts:
        with pytest.raises(ValueError, match=error):
            parse(text)
