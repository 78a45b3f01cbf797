"""Examine a served app by its URL, and print what was found."""

import sys
from collections.abc import Sequence

from ..arguments import program
from ..target import Target
from . import table
from .finding import examine
from .prober import BY_DEFAULT
from .rules.url import URL_RULES
from .url_facts import CannotAsk, ask


def diagnose_url(
    target: Target, *, prober_timeout: float | None, ignored: Sequence[str], insecure: bool, as_json: bool
) -> int:
    """Return 0 when no rule finds an error, 1 when one does or the server cannot be asked.

    Args:
        target: The server, and where the app is mounted; a health path at its end does no harm.
        prober_timeout: Seconds after which the prober gives up.
        ignored: The ids of the rules to leave out.
        insecure: Whether any TLS certificate is accepted.
        as_json: Whether JSON is printed, and no table.
    """
    timeout = prober_timeout or min(each.timeout for each in BY_DEFAULT.values())
    try:
        facts = ask(target, timeout, insecure=insecure)
    except CannotAsk as error:
        print(f"{program()} doctor: {target.display_url}: {error}", file=sys.stderr)
        if as_json:
            print(table.as_json([], str(error)), end="")
        return 1
    rows = examine(URL_RULES, facts, ignored)
    print(table.as_json(rows) if as_json else table.as_text(rows), end="")
    return int(any(row.severity == "error" for row in rows))
