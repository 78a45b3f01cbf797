"""The options that an authorised reader may give in the query of a request."""

from dataclasses import dataclass
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one request. Unknown ones are ignored, because some probers add one to bypass caches.

    Attributes:
        verbose: Whether details are wanted at the path of a probe.
        text: Whether details are wanted as text.
        explain: Whether the details say why the status is what it is. As text they cannot: there it has no effect.
        exclude: Names of the checks to leave out.
    """

    verbose: bool = False
    text: bool = False
    explain: bool = False
    exclude: frozenset[str] = frozenset()


NO_OPTIONS = Options()

MAX_QUERY = 4096
"""Bytes of a query that are parsed; a longer one is ignored."""


def parse_options(query: object) -> Options:
    """Return the options in a query string. Never raises: a query that cannot be parsed is ignored."""
    if not isinstance(query, bytes) or not query or len(query) > MAX_QUERY:
        return NO_OPTIONS
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    keys = {key for key, _ in pairs}
    text = ("format", "text") in pairs
    return Options(
        verbose=not keys.isdisjoint(("format", "verbose", "explain")),
        text=text,
        explain="explain" in keys and not text,
        exclude=frozenset(value for key, value in pairs if key == "exclude"),
    )
