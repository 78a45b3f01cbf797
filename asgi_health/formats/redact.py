"""Take credentials out of texts that somebody is going to read."""

import re

_MASK = r"\g<keep>***"

_CREDENTIALS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        # user:password@ of a URL, up to the last @ of the word, for people do put @ / ? and quotes into passwords
        # unescaped. Where a text was cut, at an ellipsis, the @ may be lost.
        r"(?P<keep>://)(?:\S*(?=…)|\S*(?=@))",
        # Authorization: Bearer abc, bearer abc, Basic abc
        r"(?P<keep>\b(?:bearer|basic)\s+)[\w.~+/=-]{4,}",
        # password=abc, 'api_key': b"abc", \"token\": \"abc\", PGPASSWORD=['abc']; a quoted value may have lost its
        # end, and where the end is of one whose quotes are escaped cannot be told: all the rest goes
        r"(?P<keep>(?:password|passwd|passphrase|pwd|secret|token|credential|api[_-]?key|access[_-]?key)[\w-]*"
        r"\\*['\"]?\s*[=:]+>?\s*[\[({\s]*)"
        r"(?:[bru]{0,2}(?P<quote>['\"])(?:\\.|[^\\])*?(?:(?P=quote)|\\*$)|[bru]{0,2}\\+['\"].*|[^\s,;&)}\]'\"]+)",
    )
)


def redact(text: str) -> str:
    """Return `text` as one readable line without credentials.

    Removed are ``user:password@`` of URLs, values behind ``password=``, ``token=`` and their like, and bearer strings.
    Control characters and lone surrogates, which no format can carry, become spaces and question marks.
    """
    for pattern in _CREDENTIALS:
        text = pattern.sub(_MASK, text)
    line = "".join(char if char.isprintable() else " " for char in text.encode("utf-8", "replace").decode())
    return " ".join(line.split())
