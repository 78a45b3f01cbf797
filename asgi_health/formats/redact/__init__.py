"""Take credentials out of texts that people read. First cut, then clean, then mask: so each step sees all of the next.

Every pattern takes linear time: a search that fails is remembered (`scan.Ahead`) or has a bound, and one that succeeds
is never repeated. Where a text can be read in two ways, the one that masks more is taken, except for words that only
an error message uses (`keys.is_prose`).
"""

from contextlib import suppress

from ...core.result import MESSAGE_LIMIT
from .clean import clean, cut, one_line

__all__ = ["prepare", "redact", "redact_lines"]


def redact(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Return `text` as one readable line of at most `limit` characters, without credentials and control characters."""
    return cut(one_line(mask(clean(cut(text, limit)))), limit)


def redact_lines(text: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """Return the lines of `text`, each as `redact` would, with their indentation; a block of lines is masked as one."""
    lines = "\n".join(cut(line, limit) for line in text.splitlines())
    return [cut(line.rstrip(), limit) for line in mask(clean(lines)).split("\n")]


def mask(text: str) -> str:
    """Return a clean `text` with ``***`` in the place of each credential."""
    # Not at the top: their patterns take 15 ms to compile, and a process that only imports the app needs none of them.
    from .pairs import mask_pairs
    from .tokens import mask_blocks, mask_tokens
    from .urls import mask_urls

    return mask_tokens(mask_pairs(mask_urls(mask_blocks(text))))


def prepare() -> None:
    """Import the patterns, so that the first details need no file: by then the process may have no descriptor left.

    Where that is so already, the first details try again.
    """
    with suppress(OSError, ImportError):
        mask("")
