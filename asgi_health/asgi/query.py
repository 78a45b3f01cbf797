"""The options that a reader may give in the query of a request."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import parse_qsl

from ..formats.answer import WORDS
from .types import Scope

Format = Literal["json", "text", "html", "atom", "badge"]
FORMATS: tuple[Format, ...] = get_args(Format)
_BY_NAME: dict[str, Format] = {each: each for each in FORMATS}

PAGE_OPTIONS = ("search", "status", "page")
"""The options of the status page alone: which of the checks it shows."""

KNOWN = ("verbose", "format", "explain", "exclude", "group", "strict", *PAGE_OPTIONS)
"""The options of authorised readers."""

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
        exclude: Names of the checks to leave out.
        groups: Groups whose checks alone are wanted; empty for all checks.
        search: Part of a name or a message of the checks that a page shows; empty for all.
        status: Status of the checks that a page shows, one of `STATUSES`; empty for all.
        page: Number of the page; empty for the first.
        unknown: Keys that are no option.
        unknown_format: The format that is not known; None where it is, or none is named.
        too_long: Whether the query is longer than `MAX_QUERY`: then nothing of it counts.
    """

    verbose: bool = False
    format: Format | None = None
    explain: bool = False
    strict: bool = False
    exclude: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    search: str = ""
    status: str = ""
    page: str = ""
    unknown: tuple[str, ...] = ()
    unknown_format: str | None = None
    too_long: bool = False

    @property
    def page_number(self) -> int:
        """The number of the page, from 1; 0 where `page` is no number."""
        if not self.page:
            return 1
        return int(self.page) if self.page.isascii() and self.page.isdecimal() and len(self.page) < 10 else 0

    def problems(self) -> list[str]:
        """Return what is wrong, a line for each problem, for authorised readers who ask for details.

        An unknown option is a problem where it resembles a known one. Others are ignored, because some clients add one
        to bypass caches. Nothing of the request is repeated.
        """
        found = [f"the query has more than {MAX_QUERY} bytes"] if self.too_long else []
        meant = (_closest(key, KNOWN) for key in self.unknown[:MAX_COMPARED])
        found += (f"option: not known; did you mean {each}? expected {_listed(KNOWN)}" for each in meant if each)
        if self.unknown_format is not None:
            found.append(f"format: not known{hint(self.unknown_format, FORMATS)}expected {_listed(FORMATS)}")
        if self.status and self.status not in STATUSES:
            found.append(f"status: not known{hint(self.status, STATUSES)}expected {_listed(STATUSES)}")
        if not self.page_number:
            found.append("page: not a page; expected a number from 1")
        return found


NO_OPTIONS = Options()

TOO_LONG = Options(too_long=True)


def parse_options(query: object) -> Options:
    """Return the options in a query string. Never raises: a query that cannot be parsed has none."""
    if not isinstance(query, bytes) or not query:
        return NO_OPTIONS
    if len(query) > MAX_QUERY:
        return TOO_LONG
    given: dict[str, list[str]] = {}
    for key, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        given.setdefault(key, []).append(value)
    named = given["format"][-1] if "format" in given else ""
    format_ = _BY_NAME.get(named)
    search, status, page = (given[key][-1] if key in given else "" for key in PAGE_OPTIONS)
    return Options(
        verbose=not given.keys().isdisjoint(("format", "verbose", "explain")),
        format=format_,
        explain="explain" in given,
        strict="strict" in given,
        exclude=frozenset(given.get("exclude", ())) - {""},
        groups=frozenset(given.get("group", ())) - {""},
        search=search[:MAX_LENGTH],
        status=status,
        page=page,
        unknown=tuple(key for key in given if key not in KNOWN),
        unknown_format=named if named and format_ is None else None,
    )


PublicOption = Literal["badge", "signin"]

_PUBLIC: dict[bytes, PublicOption] = {b"format=badge": "badge", b"signin": "signin", b"signin=": "signin"}

MAX_PUBLIC_QUERY = 256
"""Bytes of the query of a reader who is not authorised that are looked at."""


def public_option(query: object) -> PublicOption | None:
    """Return the option for readers who are not authorised that a query has, None for none.

    It costs a microsecond, whatever a stranger sends.
    """
    if not isinstance(query, bytes) or len(query) > MAX_PUBLIC_QUERY:
        return None
    return next((_PUBLIC[each] for each in query.split(b"&") if each in _PUBLIC), None)


def accept_of(scope: Scope) -> str:
    """Return the Accept header of a request; empty where there is none."""
    return ",".join(value.decode("latin-1") for name, value in scope.get("headers") or () if name == b"accept")


def hint(found: str, known: Iterable[str]) -> str:
    """Return what connects "not known" with the list of `known` names: the one that resembles `found`, if any.

    What a request contains is not repeated: only known names are.
    """
    close = _closest(found, known)
    return f"; did you mean {close}? " if close else "; "


def _closest(found: str, known: Iterable[str]) -> str | None:
    if len(found) > MAX_LENGTH:
        return None
    try:
        from difflib import get_close_matches  # not at the top: only mistakes need it
    except (OSError, ImportError):  # the process has no file descriptor left
        return None
    by_lower_case = {name.lower(): name for name in known}
    close = get_close_matches(found.lower(), by_lower_case, 1, RESEMBLANCE)
    return by_lower_case[close[0]] if close else None


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
