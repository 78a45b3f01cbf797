"""What the arguments of `probe` and its relatives mean, and a reader for the common form of `probe`.

The full reader is argparse (in `main`), which costs more than a probe. The quick one here knows no help, no
abbreviations and no errors: whatever is not plainly right it leaves to the full one.
"""

import os
import sys

from .target import Target, parse_url

TIMEOUT = 2.0
"""Seconds that `probe` takes unless it is told otherwise."""

LONGEST = 86400.0
"""Seconds that anything here may take at most: a day."""

LONGEST_PROBE = 300.0
"""Seconds that `probe` may take at most. A larger number is one of milliseconds."""

_VALUED = ("--timeout", "--header", "--expect-status")
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")  # RFC 9110, 5.6.2


class Wanted:
    """What a probe is to do."""

    __slots__ = ("expected", "headers", "insecure", "target", "timeout", "verbose")

    def __init__(
        self,
        target: Target,
        *,
        timeout: float = TIMEOUT,
        headers: tuple[tuple[str, str], ...] = (),
        expected: tuple[int, ...] = (),
        insecure: bool = False,
        verbose: bool = False,
    ) -> None:
        self.target = target
        self.timeout = timeout
        """Seconds for all of it together."""
        self.headers = headers
        self.expected = expected
        """The statuses that are healthy; none: 200 to 299."""
        self.insecure = insecure
        """Whether any certificate will do."""
        self.verbose = verbose


def quick(arguments: list[str]) -> Wanted | None:
    """Return what `arguments`, those after ``probe``, ask for; None when argparse has to look at them."""
    url = ""
    timeout = TIMEOUT
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
                name, given, value = word.partition("=")
                if not given:
                    value = next(words, "-")
                if name not in _VALUED or (not given and value.startswith("-")):
                    return None
                if name == "--timeout":
                    timeout = parse_timeout(value)
                elif name == "--header":
                    headers.append(parse_header(value))
                else:
                    expected.append(parse_status(value))
            elif url or not word or word.startswith("-"):
                return None
            else:
                url = word
        return Wanted(
            parse_url(url),
            timeout=timeout,
            headers=tuple(headers),
            expected=tuple(expected),
            insecure=insecure,
            verbose=verbose,
        )
    except ValueError:
        return None


def parse_seconds(text: str, longest: float = LONGEST) -> float:
    """Return `text` as seconds. Raises ValueError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= longest:
        raise ValueError(f"{text!r} is not a number of seconds (more than 0, at most {longest:.0f})")
    return seconds


def parse_timeout(text: str) -> float:
    """Return `text` as the seconds of one probe. Raises ValueError."""
    return parse_seconds(text, LONGEST_PROBE)


def parse_header(text: str) -> tuple[str, str]:
    """Return name and value of ``Name: value``. Raises ValueError, which does not repeat what may be a secret."""
    name, colon, value = text.partition(":")
    if not colon or not name or not _TOKEN.issuperset(name):
        raise ValueError("expected 'Name: value'")
    value = value.strip(" \t")
    # A line break would begin another header, or another request.
    if not value.isascii() or not value.replace("\t", " ").isprintable():
        raise ValueError(f"{name}: the value has a control character or one that is not ASCII")
    return name, value


def parse_status(text: str) -> int:
    """Return `text` as a status that can end an answer. Raises ValueError."""
    if not (len(text) == 3 and text.isascii() and text.isdecimal() and 200 <= int(text) <= 599):
        raise ValueError(f"{text!r} is not a status (200 to 599)")
    return int(text)


def program() -> str:
    """Return what the person has typed to start this."""
    name = os.path.basename(sys.argv[0])
    return "asgi-health" if name.startswith("asgi-health") else "python -m asgi_health"
