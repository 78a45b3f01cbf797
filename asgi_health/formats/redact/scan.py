"""Find the end of a value, and replace spans. A character is read at most once for each value that is found."""

import re
from collections.abc import Iterable

Span = tuple[int, int]
"""The beginning and the end of a part of a text."""


class Ahead:
    """The next match of a pattern. With rising positions, all calls together read the text once."""

    __slots__ = ("_found", "_from", "_pattern", "_text")

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        self._pattern = pattern
        self._text = text
        self._from = 0
        self._found = -1

    def at(self, position: int) -> int:
        """Return the first match at or after `position`, the length of the text where there is none."""
        if self._from <= position <= self._found:
            return self._found
        match = self._pattern.search(self._text, position)
        self._from = position
        self._found = match.start() if match else len(self._text)
        return self._found


def masked(text: str, spans: Iterable[Span]) -> str:
    """Return `text` with ``***`` in the place of each span; they come from left to right."""
    parts: list[str] = []
    copied = 0
    for begin, end in spans:
        parts += (text[copied:begin], "***")
        copied = end
    return "".join((*parts, text[copied:]))


# The characters that may follow the quote at the end of a value. A quote before a letter is an apostrophe in a value
# that was quoted without escaping it: `'it's hunter2'`.
AFTER_QUOTE = r"(?=[\s,;:)}\]>.|&<…/+!?\\=\"'`]|$)"

_OPENING = re.compile(r"[bBrRuUfF]{0,2}(?P<slashes>\\*)(?P<quote>\"\"\"|'''|[\"'`]|&(?:quot|apos|#3[49]|#x2[27]);)")
_CLOSED = re.compile(AFTER_QUOTE)
_STRUCTURE = re.compile(r"[\[({})\]\"'`]")
_BEFORE_QUOTE = " \n,:=[({bBrRuUfF\\"
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_BRACES = re.compile(r"\{[^}]*(?:\}\}[^}]*)*\}")
_STRUCTURED = re.compile(r"\{\s*[\"'\\{\[]")
_REST = re.compile(r"[\w*-]\S*")


def is_quoted(text: str, begin: int) -> bool:
    """Return whether a quoted string begins at `begin`, with a prefix such as ``b`` or without."""
    return _OPENING.match(text, begin) is not None


def end_of_quoted(text: str, begin: int) -> tuple[int, int, int]:
    """Return the beginning and the end of the content of a quoted string, and the end of the string itself.

    `begin` is the position of its prefix, or of the backslashes before its quote. A string inside another one ends at a
    quote with the same escaping as its first. A string that was cut has no end: its content is all the rest.
    """
    opening = _OPENING.match(text, begin)
    if opening is None:
        raise ValueError(f"no quoted string begins at {begin}")
    quote, slashes, inside = opening["quote"], len(opening["slashes"]), opening.end()
    at = inside
    while (at := text.find(quote, at)) >= 0:
        behind = at + len(quote)
        run = at
        while run > inside and text[run - 1] == "\\":
            run -= 1
        run = at - run
        if run == slashes if slashes else run % 2 == 0:
            if not slashes and len(quote) == 1 and text.startswith(quote, behind) and at > inside:
                at = behind + 1  # doubled, as SQL, YAML and CSV escape it
                continue
            if _CLOSED.match(text, behind):
                return inside, at - slashes, behind
        at = behind
    return inside, len(text), len(text)


def end_of_group(text: str, begin: int) -> int:
    """Return where the brackets that open at `begin` close, else the end of the text. Quoted parts are skipped."""
    expected: list[str] = []
    at = begin
    while match := _STRUCTURE.search(text, at):
        char, at = match.group(), match.end()
        if char in _PAIRS:
            expected.append(_PAIRS[char])
        elif char in ")]}":
            if char == expected[-1]:
                expected.pop()
                if not expected:
                    return at
        elif text[match.start() - 1] in _BEFORE_QUOTE:
            start = match.start()
            while text[start - 1] == "\\":
                start -= 1
            at = end_of_quoted(text, start)[2]
    return len(text)


def end_of_braces(text: str, begin: int) -> int:
    """Return the end of a value in braces: ``{a;b}`` as ODBC quotes it, with ``}}`` for a brace in it, or an object."""
    if _STRUCTURED.match(text, begin):
        return end_of_group(text, begin)
    match = _BRACES.match(text, begin)
    return match.end() if match else len(text)


def with_the_rest(text: str, end: int) -> int:
    """Return the end of the word that goes on at `end`: a value may begin with a group."""
    match = _REST.match(text, end)
    return match.end() if match else end
