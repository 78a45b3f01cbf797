"""Mask the credentials of a URL: its user and password, and its query."""

import re
from collections.abc import Iterator

from .keys import names_a_credential
from .scan import AFTER_QUOTE, Ahead, Span, masked

_SCHEME_CHARS = re.compile(r"[\w+.:-]")
_USER = re.compile(r"(?P<host>\[[\w:.%]{0,64}\]|[^\s/?#@:\[\"'<>]{0,256})(?P<next>[:@]?)")
_PORT = re.compile(r"\d{1,5}(?=[/?#\s,)\]}>;]|[\"'\\.](?:\W|$)|$)")
_WEB = ("http", "https", "ws", "wss")
_MAILS = re.compile(r"/[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+(?=[/?#\s\"'),;\]]|$)")
_AFTER_AUTHORITY = re.compile(r"[/?#\s]|$")
_SPACED = re.compile(r"(?:[^\n@:]|:(?!//)){1,200}@")

LONGEST_PATH = 256
"""Characters before a query in which to search for the quote that a relative URL began with."""

_QUERY = re.compile(r"(?<=[\w/)\]])\?(?=[\w.%\[\]-]{1,64}=)")
_DSN = re.compile(
    # app:secret@db, :secret@db, app:secret@tcp(db:3306)/x; not name:tag@sha256:..., to:joe@example.com
    r"(?<![\w.+%@:/$-])(?!(?:mailto|email|mail|to|cc|bcc|sips?|xmpp|acct|pkg):)"
    r"(?P<user>[\w.+%-]{0,64}):(?!//|[\"'\s\[{])[^\s\"]{1,200}@(?=[A-Za-z_\[(/*]|\d+\.\d)(?!sha\d{3}:)"
)


def mask_urls(text: str) -> str:
    """Return `text` with ``***`` in the place of ``user:password`` and of each query."""
    if "://" in text:
        text = masked(text, _Urls(text).spans())
    if "?" in text:
        text = masked(text, _queries(text))
    if "@" in text:
        text = masked(text, _dsns(text))
    return text


class _Urls:
    """The URLs of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._space = Ahead(re.compile(r"\s"), text)
        self._at_sign = Ahead(re.compile("@"), text)
        self._cut = Ahead(re.compile("…"), text)
        self._query = Ahead(re.compile(r"\?"), text)
        self._mails = Ahead(_MAILS, text)
        self._authority = Ahead(_AFTER_AUTHORITY, text)
        self._lasts: dict[str, tuple[int, int]] = {}
        self._closing = {
            opener: Ahead(re.compile(closer + after), text)
            for opener, closer, after in (
                ('"', r"\\*\"", AFTER_QUOTE),
                ("'", r"\\*'", AFTER_QUOTE),
                ("`", "`", ""),
                ("<", ">", ""),
            )
        }

    def spans(self) -> Iterator[Span]:
        """Return the spans to mask, from left to right."""
        text, at = self._text, 0
        while (sign := text.find("://", at)) >= 0:
            begin, at = sign, sign + 3
            while begin > max(sign - 32, 0) and _SCHEME_CHARS.match(text, begin - 1):
                begin -= 1
            end = self._end(text[begin - 1 : begin], at)
            user = self._user(text[begin:sign].lower(), at, end)
            if user is not None:
                yield user
                at = user[1]
                end = max(end, self._end(text[begin - 1 : begin], at))
            query = self._query.at(at)
            if query + 1 < end:
                yield query + 1, end
                at = end

    def _end(self, opener: str, at: int) -> int:
        """Return the end of the URL: the quote that it began with, or the end of its word."""
        end = self._space.at(at)
        return min(end, self._closing[opener].at(at)) if opener in self._closing else end

    def _user(self, scheme: str, at: int, end: int) -> Span | None:
        text = self._text
        user = _USER.match(text, at, end)
        if user is None:
            return None
        if not user["next"]:  # in the path, an @ is nothing special
            last = self._last_at_sign(at, self._authority.at(at))
            if last is not None and last < end:
                return at, last
            ellipsis = self._cut.at(at)
            return (at, ellipsis) if ellipsis < self._authority.at(at) else None
        if user["next"] == "@":
            last = self._last_at_sign(at, min(self._authority.at(at), end))
            return at, user.end() - 1 if last is None else last
        last = self._last_at_sign(at, end)
        port = _PORT.match(text, user.end()) if user["host"] else None
        if port and scheme in _WEB and (last is None or self._mails.at(at) < end):
            return None
        cut = self._last_cut(at, end)
        if last is not None or cut is not None:  # where a text was cut, the @ may be lost
            return at, max(last or 0, cut or 0)
        if port:
            return None
        spaced = _SPACED.match(text, end) if end == self._space.at(at) else None
        return (at, spaced.end() - 1) if spaced else None

    def _last_at_sign(self, begin: int, end: int) -> int | None:
        return self._last("@", begin, end) if self._at_sign.at(begin) < end else None

    def _last_cut(self, begin: int, end: int) -> int | None:
        return self._last("…", begin, end) if self._cut.at(begin) < end else None

    def _last(self, char: str, begin: int, end: int) -> int:
        # Kept with the end of the search: several URLs in one word end at the same place.
        known = self._lasts.get(char)
        if known is None or known[0] != end or known[1] < begin:
            known = self._lasts[char] = (end, self._text.rfind(char, begin, end))
        return known[1]


def _queries(text: str) -> Iterator[Span]:
    """Return the queries of relative URLs, `/v1/x?token=abc`: up to a space, or the quote that the URL began with."""
    space, quote, apostrophe = (Ahead(re.compile(end), text) for end in (r"\s", '"' + AFTER_QUOTE, "'" + AFTER_QUOTE))
    at = 0
    while found := _QUERY.search(text, at):
        begin = found.start()
        last = max(text.rfind(each, max(begin - LONGEST_PATH, at), begin) for each in " \"'")
        end = min(space.at(found.end()), quote.at(found.end()))
        at = min(end, apostrophe.at(found.end())) if last >= 0 and text[last] == "'" else end
        yield found.end(), at


def _dsns(text: str) -> Iterator[Span]:
    end_of_word = Ahead(re.compile(r"[\s\"]"), text)
    for found in _DSN.finditer(text):
        # `password:x@y` may as well be a password with an @ in it: then its end is no host to show.
        whole = names_a_credential(found["user"])
        yield found.start(), end_of_word.at(found.end()) if whole else found.end() - 1
