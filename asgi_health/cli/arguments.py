"""The arguments of `probe` and `wait`, and a fast parser for the common form of `probe`.

The full parser is argparse (see `parser`), whose import costs more than a probe. The fast one knows no help, no
abbreviations and no error messages. It returns None for everything that is not plainly right, and argparse takes over.
"""

import os
import sys

from .target import Target, parse_url

DEFAULT_PROBE_TIMEOUT = 2.0
"""Default of `--timeout` for `probe`, in seconds; `wait` gives each of its requests the same."""

MAX_TIMEOUT = 86400.0
"""Largest `--timeout` of any command, in seconds: one day."""

MAX_PROBE_TIMEOUT = 300.0
"""Largest `--timeout` of `probe`, in seconds. A larger number was probably meant as milliseconds."""

DEFAULT_MAX_AGE = 15.0
"""Default of `--max-age`, in seconds."""

_OPTIONS_WITH_VALUE = ("--timeout", "--header", "--expect-status", "--max-age")
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")  # RFC 9110, 5.6.2


class ProbeRequest:
    """One request of a probe: where it goes, what it sends, and which answer is healthy.

    Attributes:
        target: The server and the path.
        timeout: Seconds for name look-up, connection, TLS, request and answer together.
        headers: Headers to send, in addition to the usual ones or in place of them.
        expected: The statuses that are healthy. Empty: 200 to 299.
        insecure: Whether any TLS certificate is accepted.
        verbose: Whether the body of the answer is printed.
        max_age: Seconds since the last touch of a file after which the app counts as dead.
    """

    __slots__ = ("expected", "headers", "insecure", "max_age", "target", "timeout", "verbose")

    def __init__(
        self,
        target: Target,
        *,
        timeout: float = DEFAULT_PROBE_TIMEOUT,
        headers: tuple[tuple[str, str], ...] = (),
        expected: tuple[int, ...] = (),
        insecure: bool = False,
        verbose: bool = False,
        max_age: float = DEFAULT_MAX_AGE,
    ) -> None:
        self.target = target
        self.timeout = timeout
        self.headers = headers
        self.expected = expected
        self.insecure = insecure
        self.verbose = verbose
        self.max_age = max_age


def parse_fast(arguments: list[str]) -> ProbeRequest | None:
    """Return the request in `arguments`, which follow the word ``probe``; None when argparse has to read them."""
    url = ""
    timeout = DEFAULT_PROBE_TIMEOUT
    max_age = DEFAULT_MAX_AGE
    headers: list[tuple[str, str]] = []
    expected: list[int] = []
    verbose = insecure = False
    words = iter(arguments)
    try:
        for word in words:
            if word == "--verbose":
                verbose = True
            elif word == "--insecure":
                insecure = True
            elif word.startswith("--"):
                name, equals, value = word.partition("=")
                if not equals:
                    value = next(words, "-")
                if name not in _OPTIONS_WITH_VALUE or (not equals and value.startswith("-")):
                    return None
                if name == "--timeout":
                    timeout = parse_timeout(value)
                elif name == "--max-age":
                    max_age = parse_seconds(value)
                elif name == "--header":
                    headers.append(parse_header(value))
                else:
                    expected.append(parse_status(value))
            elif url or not word or word.startswith("-"):
                return None
            else:
                url = word
        return ProbeRequest(
            parse_url(url),
            timeout=timeout,
            headers=tuple(headers),
            expected=tuple(expected),
            insecure=insecure,
            verbose=verbose,
            max_age=max_age,
        )
    except ValueError:
        return None


def parse_seconds(text: str, maximum: float = MAX_TIMEOUT) -> float:
    """Return `text` as seconds. Raises ValueError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= maximum:
        raise ValueError(f"{text!r} is not a number of seconds (more than 0, at most {maximum:.0f})")
    return seconds


def parse_timeout(text: str) -> float:
    """Return `text` as the timeout of one probe in seconds. Raises ValueError."""
    return parse_seconds(text, MAX_PROBE_TIMEOUT)


def parse_header(text: str) -> tuple[str, str]:
    """Return name and value of ``Name: value``. Raises ValueError, which omits the value: it may be a secret."""
    name, colon, value = text.partition(":")
    if not colon or not name or not _TOKEN.issuperset(name):
        raise ValueError("expected 'Name: value'")
    value = value.strip(" \t")
    # A line break would start another header, or another request.
    if not value.isascii() or not value.replace("\t", " ").isprintable():
        raise ValueError(f"{name}: the value has a control character or one that is not ASCII")
    return name, value


def parse_status(text: str) -> int:
    """Return `text` as the status of a final answer. Raises ValueError."""
    if not (len(text) == 3 and text.isascii() and text.isdecimal() and 200 <= int(text) <= 599):
        raise ValueError(f"{text!r} is not a status (200 to 599)")
    return int(text)


def parse_count(text: str) -> int:
    """Return `text` as a number from 1 to 100. Raises ValueError."""
    if not (len(text) <= 3 and text.isascii() and text.isdecimal() and 1 <= int(text) <= 100):
        raise ValueError(f"{text!r} is not a number from 1 to 100")
    return int(text)


def program() -> str:
    """Return the name under which the user has started this program."""
    name = os.path.basename(sys.argv[0])
    return "asgi-health" if name.startswith("asgi-health") else "python -m asgi_health"
