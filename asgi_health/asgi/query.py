"""The options that a reader may give in the query of a request."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import parse_qsl

from ..formats.answer import WORDS
from .types import Scope

Format = Literal["json", "text", "html"]
FORMATS: tuple[Format, ...] = get_args(Format)

PAGE_OPTIONS = ("search", "status", "page")
"""The options of the status page alone: which of the checks it shows."""

KNOWN = ("verbose", "format", "explain", "exclude", "group", "strict", *PAGE_OPTIONS)
"""The options of authorised readers. `signin` is one of the others."""

STATUSES = tuple(WORDS.values())[::-1]

MAX_QUERY = 4096
"""Bytes of a query that are parsed; a longer one is ignored."""

MAX_COMPARED = 20
"""Unknown options that are compared with the known ones: a comparison takes microseconds."""

MAX_LENGTH = 100
"""Characters of an unknown name that is compared with known ones."""

RESEMBLANCE = 0.7
"""Ratio of difflib from which an unknown option is a misspelt one: ``verbos`` and ``excl``, not ``_``, ``ts`` or
``version``."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one request. For flags only their presence counts, as in Kubernetes: ``verbose=0`` is one too.

    Attributes:
        verbose: Whether details are wanted at the path of a probe: `verbose`, `format` or `explain` is given.
        format: The format of the details; None where none, or an unknown one, is named.
        explain: Whether the details say why the status is what it is.
        strict: Whether a warning is answered with 503.
        signin: Whether a browser asks to be challenged for credentials.
        exclude: Names of the checks to leave out.
        groups: Groups whose checks alone are wanted; empty for all checks.
        search: Part of a name or a message of the checks that a page shows; empty for all.
        status: Status of the checks that a page shows, one of ``fail``, ``warn`` and ``pass``; empty for all.
        page: Number of the page, from 1; None where none is named.
        problems: What is wrong, a line for each; shown to authorised readers alone.
    """

    verbose: bool = False
    format: Format | None = None
    explain: bool = False
    strict: bool = False
    signin: bool = False
    exclude: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    search: str = ""
    status: str = ""
    page: int | None = None
    problems: tuple[str, ...] = ()


NO_OPTIONS = Options()

TOO_LONG = Options(problems=(f"the query has more than {MAX_QUERY} bytes",))


def parse_options(query: object) -> Options:
    """Return the options in a query string. Never raises: a query that cannot be parsed has none.

    An unknown option is a problem where it resembles a known one. Others are ignored, because some clients add one to
    bypass caches.
    """
    if not isinstance(query, bytes) or not query:
        return NO_OPTIONS
    if len(query) > MAX_QUERY:
        return TOO_LONG
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    given: dict[str, list[str]] = {}
    for key, value in pairs:
        given.setdefault(key, []).append(value)
    problems = [*_misspelt(given)]
    format_ = given["format"][-1] if "format" in given else None
    if format_ and format_ not in FORMATS:
        problems.append(f"format: not known{hint(format_, FORMATS)}expected {_listed(FORMATS)}")
    status, number = (given[key][-1] if key in given else "" for key in ("status", "page"))
    if status and status not in STATUSES:
        problems.append(f"status: not known{hint(status, STATUSES)}expected {_listed(STATUSES)}")
    page = int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else 0
    if number and not page:
        problems.append("page: not a page; expected a number from 1")
    return Options(
        verbose=not given.keys().isdisjoint(("format", "verbose", "explain")),
        format=next((known for known in FORMATS if known == format_), None),
        explain="explain" in given,
        strict="strict" in given,
        signin="signin" in given,
        exclude=frozenset(given.get("exclude", ())) - {""},
        groups=frozenset(given.get("group", ())) - {""},
        search=given["search"][-1][:MAX_LENGTH] if "search" in given else "",
        status=status if status in STATUSES else "",
        page=page or None,
        problems=tuple(problems),
    )


def accept_of(scope: Scope) -> str:
    """Return the Accept header of a request; empty where there is none."""
    return ",".join(value.decode("latin-1") for name, value in scope.get("headers") or () if name == b"accept")


def hint(found: str, known: Iterable[str]) -> str:
    """Return what connects "not known" with the list of `known` names: the one that resembles `found`, if any.

    What a request contains is not repeated: only known names are.
    """
    close = _closest(found, known)
    return f"; did you mean {close}? " if close else "; "


def _misspelt(given: Iterable[str]) -> Iterable[str]:
    unknown = [key for key in given if key not in KNOWN and key != "signin"]
    for key in unknown[:MAX_COMPARED]:
        if close := _closest(key, KNOWN):
            yield f"option: not known; did you mean {close}? expected {_listed(KNOWN)}"


def _closest(found: str, known: Iterable[str]) -> str | None:
    if len(found) > MAX_LENGTH:
        return None
    try:
        from difflib import get_close_matches  # not at the top: only mistakes need it
    except (OSError, ImportError):  # the process has no file descriptor left
        return None
    return next(iter(get_close_matches(found.lower(), known, 1, RESEMBLANCE)), None)


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
