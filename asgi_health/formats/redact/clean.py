"""Remove escape sequences and invisible characters from a text."""

import re

_ESCAPE_SEQUENCE = re.compile(
    # ECMA-48: CSI, then strings (OSC, DCS, SOS, PM, APC) with their end, then sequences of two or three characters
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_LINE_END = re.compile(r"\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")


_UNUSUAL = re.compile(r"[^ -~\n]")
_UNSEEN = re.compile(r"[\u034f\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Joiners and selectors of variants, which are printable for Python."""


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`; the last one is an ellipsis where some were cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clean(text: str) -> str:
    r"""Return `text` without escape sequences and invisible characters, and with ``\n`` and spaces as its only spaces.

    An invisible character leaves nothing behind, not even a space: a reader sees ``pass\0word=x`` as ``password=x``.
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.encode("utf-8", "replace").decode()  # lone surrogates
    text = _LINE_END.sub("\n", _ESCAPE_SEQUENCE.sub("", text))
    return _UNUSUAL.sub(_visible, text)


def one_line(text: str) -> str:
    """Return `text` as one line with single spaces."""
    return " ".join(clean(text).split())


def _visible(found: re.Match[str]) -> str:
    char = found[0]
    if _UNSEEN.match(char):
        return ""
    return char if char.isprintable() else " " if char.isspace() else ""
