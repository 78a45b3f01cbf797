"""Leave of a text what can be read."""

import re

_ESCAPE_SEQUENCE = re.compile(
    # ECMA-48: CSI, then strings (OSC, DCS, SOS, PM, APC) with their end, then what has two or three characters
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_LINE_END = re.compile(r"\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")


_UNUSUAL = re.compile(r"[^ -~\n]")
_UNSEEN = re.compile(r"[\u034f\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Joiners and selectors of variants, which Python takes for printable."""


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`; an ellipsis is the last where some were cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clean(text: str) -> str:
    """Return `text` without escape sequences and invisible characters; only line ends and spaces are left of spaces.

    What is invisible leaves nothing behind, not even a space: ``pass\\0word=x`` is ``password=x`` to a reader.
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
