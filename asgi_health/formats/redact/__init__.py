"""Mask credentials in texts. First cut, then clean, then mask: each step works on the result of the one before.

Every pattern takes linear time: the result of a failed search is kept (`scan.Ahead`) or the search has a bound, and a
successful one is never repeated. Where a text can be read in two ways, the way that masks more applies, except for
words that occur only in error messages (`keys.is_prose`).
"""

from contextlib import suppress

from ...core.result import MESSAGE_LIMIT
from .clean import clean, cut, one_line

__all__ = ["prepare", "redact", "redact_lines"]


def redact(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Return `text` as one readable line of at most `limit` characters, without credentials and control characters."""
    return cut(one_line(mask(clean(cut(text, limit)))), limit)


def redact_lines(text: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """Return the lines of `text`, each redacted, with their indentation; a block of lines is masked as one."""
    lines = "\n".join(cut(line, limit) for line in text.splitlines())
    return [cut(line.rstrip(), limit) for line in mask(clean(lines)).split("\n")]


def mask(text: str) -> str:
    """Return `text`, which is clean already, with ``***`` in the place of each credential."""
    # Not at the top: the patterns take 15 ms to compile, and a process that only imports the app uses none of them.
    from .pairs import mask_pairs
    from .tokens import mask_blocks, mask_tokens
    from .urls import mask_urls

    return mask_tokens(mask_pairs(mask_urls(mask_blocks(text))))


def prepare() -> None:
    """Import the patterns now: when the first details are rendered, the process may have no file descriptor left.

    Where it has none now, the first details try again.
    """
    with suppress(OSError, ImportError):
        mask("")
