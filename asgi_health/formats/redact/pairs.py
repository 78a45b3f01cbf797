"""Mask the value behind the name of a credential, in every notation."""

import re
from collections.abc import Iterator

from .keys import MARK, before_key, end_of_type, is_glue, is_harmless, is_host, is_syntax, names_a_credential
from .scan import (
    AFTER_QUOTE,
    Ahead,
    Span,
    end_of_braces,
    end_of_group,
    end_of_quoted,
    is_quoted,
    masked,
    with_the_rest,
)

_QUOTE = r"(?:\\*[\"'`]|&(?:quot|apos|#3[49]|#x2[27]);)"
_WORD = re.compile(r"(?:[\w$.]|-(?!>))*")
_WORD_CHAR = re.compile(r"[\w$.-]")
_CLOSING = re.compile(rf"({_QUOTE}?)\]?(?:\[\w*\])?")
_REST_OF_KEY = re.compile(  # "password (old)": and 'password/db',
    r"(?:[^\w\"'`\\\n={},;.$-][^\"'`\\\n={},;]{0,40}(?P<quote>[\"'`])(?=\]?\s*(?::(?!:)|=>)|\]\s*=)"
    r"|[^\w\s\"'`\\={},;.$-][^\s\"'`\\={},;]{0,40}(?P<before_comma>[\"'`])(?=\s*,)"
    # Without quotes only behind a sign that joins words: behind the others (`:`, `>`, `%3D`) comes the value.
    r"|[/\[(@#+~|][^\s\"'`\\={},;:%<>]{0,40}(?==(?!=)))"
)
_KEY_BEFORE = re.compile(r"([\"'`])[^\"'`\n={},;]*$")
_PATH_BEFORE = re.compile(r"[\"'`][^\s\"'`={},;]+$")
_NO_WORD = re.compile(r"[^\w$.-]+")
_SIGN = re.compile(r"\s*(?::=|=>|->|!==?|={1,3}>?|:{1,2}|%3[dD]|%3[aA])\s*(?:-\s+(?=\S))?")
_COLON = re.compile(r"\s*:\s")
_PAIR = re.compile(r"\s*,\s*")
_SPACE = re.compile(r"\s+")
_CALL = re.compile(r"\(\s*(?:\w+\s*=\s*)?")
_CALLED = re.compile(r"[A-Za-z_][\w.]*\(")
_VALUE_OF_NAME = re.compile(
    rf"(?:{_QUOTE}[^{{}}()\[\]]{{0,200}}?|[\s,;]{{1,20}}){_QUOTE}?\b(?:value|default)\b{_QUOTE}?\s*[:=]\s*"
    r"|\n[^\n]{0,300}?\binput_value=",  # pydantic: below the name of the field
    re.IGNORECASE,
)
_NAME_OF_VALUE = re.compile(
    rf"value{_QUOTE}?\s*[:=]\s*(?P<value>[bru]?\"[^\"\n]{{0,300}}\"|[bru]?'[^'\n]{{0,300}}'|[^\s,\"']{{1,300}})"
    rf"[\s,;]{{1,20}}{_QUOTE}?(?:name|key)?{_QUOTE}?\s*[:=]\s*{_QUOTE}?(?P<name>[\w.-]{{1,100}}(?: key)?)",
    re.IGNORECASE,
)
_TYPED = re.compile(
    r"[A-Za-z_][\w.]*(?:\[[^\]=\n]{0,80}\]{1,3})?(?: ?\| ?[A-Za-z_][\w.]*(?:\[[^\]=\n]{0,80}\]{1,3})?){0,4} ?=(?!=)\s*"
)
_AFTER_TYPE = re.compile(r"$|[\s,)\]}]")
_SCHEME = re.compile(
    r"(?:bearer|basic|digest|token|apikey|api-key|aws4-hmac-sha256|negotiate|ntlm|hmac|oauth|hawk|dpop|jwt|key|mac"
    r"|gssapi|kerberos|vapid|sharedkey|sharedkeylite|sharedaccesssignature|googlelogin|scram-sha-\d+)\s+(?=\S)",
    re.IGNORECASE,
)
_CREDENTIAL = re.compile(r"(?:[\w-]{1,40}=\"[^\"]*\"|\S)(?:(?<=\\)[ ](?=\S)|\S)*")
_PARAMETER = re.compile(r"(?<=[,;])\s+[\w.-]{1,60}=(?:\"[^\"]*\"[,;]?|\S*)")
_SECOND_WORD = re.compile(r" ?\S*")
_HEADER = re.compile(r"authorization$|cookie$", re.IGNORECASE)
_ATOM = re.compile(r"(?:-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|None|null|[Tt]rue|[Ff]alse)(?=[,}\])\s]|$)")
_BLOCK = re.compile(r"[|>][-+\d]{0,2}(?:\n[ \t]+[^\n]*)+|(?:-?[ ]*[^\n]*)(?:\n[ ]*- [^\n]*)*")
_INDENT = re.compile(r"[ ]*(?:-[ ]+)?$")
_LIST = re.compile(r"\s*:\s*\n\s*-\s")
_END_OF_LIST = re.compile(r"[^\n]*(?:\n[ ]*- [^\n]*)*")
_WORD_END = re.compile(r"\s|$")
_QUOTE_END = {quote: re.compile(quote + AFTER_QUOTE) for quote in "\"'`"}
_BEFORE_OPTION = ("", " ", "\n", "'", '"', "`", "(", "[", "{", ",", ";", "=", ":")
_CLOSERS = re.compile(r"[\"'`,;:)\]}>.\\]*")
_PASSWORD = re.compile(r"(?:pass(?:word|wd|phrase)?|pwd)$", re.IGNORECASE)
_TOKEN = re.compile(r"token|key|signature", re.IGNORECASE)
_SHOWN_TOKEN = re.compile(r"(?P<quote>[\"'`])(?=[^\s\d]{0,200}\d)[^\s\"'`]{8,500}(?P=quote)")
_LONG = 500
"""Characters. A longer string in a list is masked behind a name, whatever comes after it."""


def mask_pairs(text: str) -> str:
    """Return `text` with ``***`` in the place of each value behind the name of a credential."""
    return masked(text, _Pairs(text).spans())


class _Pairs:
    """One text, and the positions that were found in it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._closing = {quote: Ahead(pattern, text) for quote, pattern in _QUOTE_END.items()}
        self._semicolon = Ahead(re.compile(r";(?=\s*[\w ]{1,40}=|$)"), text)
        self._line = Ahead(re.compile("\n"), text)

    def spans(self) -> Iterator[Span]:
        """Return the spans to mask, from left to right."""
        text, at = self._text, 0
        lower = text.lower()  # a search in it is much quicker than one that ignores case
        if len(lower) != len(text):  # some capital letters become two small ones
            lower = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
        while mark := MARK.search(lower, at):
            begin = mark.start()
            while begin > at and _WORD_CHAR.match(text, begin - 1):
                begin -= 1
            end = _end_of(_WORD, text, mark.end())
            if begin == mark.start() and mark.group() == "key":
                begin = max(before_key(lower, begin), at)
            span = self._value(begin, end)
            if span is None or span[0] >= span[1]:
                at = end
                continue
            yield span
            at = span[1]

    def _value(self, begin: int, end: int) -> Span | None:
        text = self._text
        word = text[begin:end]
        if word.lower() == "value":
            return self._named_behind(begin)
        if not names_a_credential(word) or is_host(word, text, begin, end):
            return None
        if whole := self._whole_key(begin, end):
            end = whole
            word = _NO_WORD.sub("_", text[begin:end])
        closing = _CLOSING.match(text, end)
        quoted = bool(closing and closing[1]) and text[begin - 1 : begin] in ('"', "'", "`", ";")
        behind = closing.end() if closing else end
        if sign := _SIGN.match(text, behind):
            return self._behind_sign(word, begin, end, sign, quoted=quoted)
        if named := _VALUE_OF_NAME.match(text, end):
            return self._read(word, begin, named.end(), quoted=True)
        if quoted:
            return self._behind_comma(word, begin, behind)
        if closing and closing[1] and (before := _PATH_BEFORE.search(text[max(begin - 60, 0) : begin])):
            return self._behind_comma(word, begin - len(before[0]) + 1, behind)  # ('db/password', 'x')
        option = word.startswith("-") and text[max(begin - 1, 0) : begin] in _BEFORE_OPTION
        if option and (space := _SPACE.match(text, end)):
            dashes = text.startswith("-", space.end())
            return None if dashes or is_glue(text, space.end()) else self._read(word, begin, space.end(), quoted=False)
        if (call := _CALL.match(text, end)) and is_quoted(text, call.end()):
            closed = end_of_group(text, end)
            return end + 1, closed - text.endswith(")", end, closed)
        if text.startswith(">", end) and text.startswith("<", begin - 1):
            closed = text.find("<", end)
            if text.startswith("</", closed) or (closed < 0 and text.endswith("…")):
                return end + 1, closed if closed >= 0 else len(text)
            return None
        return self._behind_space(word, begin, end)

    def _behind_sign(self, word: str, begin: int, end: int, sign: re.Match[str], *, quoted: bool) -> Span | None:
        text, at = self._text, sign.end()
        line = self._begins_a_line(begin) and _COLON.match(text, end) is not None
        known = end_of_type(text, at)
        if sign[0].strip() == ":" and (typed := _TYPED.match(text, at)):
            value = self._read(word, begin, typed.end(), quoted=False, line=line)
            if known > at:
                return value
            if value is not None:  # the apparent type may be a part of the value
                plain = self._read(word, begin, at, quoted=quoted, line=line)
                return at, max(value[1], plain[1] if plain else at)
        if known > at and _AFTER_TYPE.match(text, known):
            return None
        if is_syntax(text, word, begin, text[at : at + 24].partition(" ")[0].strip("'\"`,.;")):
            return None
        if _LIST.match(text, end) and (all_of_it := _END_OF_LIST.match(text, at)):
            return at, all_of_it.end()
        return self._read(word, begin, at, quoted=quoted, line=line)

    def _behind_comma(self, word: str, begin: int, behind: int) -> Span | None:
        """`('password', 'x')`, `[b'cookie', b'x']` and `'--password', 'x'`; but not `['user', 'password', 'port']`."""
        text = self._text
        comma = _PAIR.match(text, behind)
        if comma is None or not is_quoted(text, comma.end()):
            return None
        opening = begin - 1
        while opening > 0 and text[opening - 1] in "\\bBrRuUfF":
            opening -= 1
        opener = text[max(opening - 2, 0) : opening].strip()[-1:]
        if not word.startswith("-") and opener not in ("(", "["):
            return None
        closed = end_of_quoted(text, comma.end())[2]
        if opener == "[" and closed < comma.end() + _LONG and text[closed : closed + 1] not in ("]", ")", ""):
            return None
        return comma.end(), closed

    def _behind_space(self, word: str, begin: int, end: int) -> Span | None:
        """`PASSWORD 'x'` as in SQL. Behind other names only a token: in `secret 'db' not found` the value is a name."""
        text = self._text
        space = _SPACE.match(text, end)
        if space is None or not is_quoted(text, space.end()):
            return None
        if _PASSWORD.search(word):
            return space.end(), end_of_quoted(text, space.end())[2]
        shown = _SHOWN_TOKEN.match(text, space.end()) if _TOKEN.search(word) else None
        return shown.span() if shown else None

    def _whole_key(self, begin: int, end: int) -> int | None:
        """Return the end of a key that continues with characters that are not part of a word; None for other keys."""
        text = self._text
        rest = _REST_OF_KEY.match(text, end)
        if rest is None:
            return None
        quote = rest["quote"] or rest["before_comma"]
        if quote is None:
            return rest.end()
        opening = _KEY_BEFORE.search(text[max(begin - 60, 0) : begin])
        return rest.end() - 1 if opening and opening[1] == quote else None

    def _named_behind(self, begin: int) -> Span | None:
        """`"value": "x", "name": "DB_PASSWORD"`."""
        found = _NAME_OF_VALUE.match(self._text, begin)
        if (
            found
            and names_a_credential(found["name"])
            and not is_harmless(found["name"], self._text, found.start("value"))
        ):
            return found.span("value")
        return None

    def _read(self, word: str, begin: int, at: int, *, quoted: bool, line: bool = False) -> Span | None:
        """Return the value at `at`. With `line` it may extend to the end of its line, as in YAML and in headers."""
        text = self._text
        if at >= len(text) or is_harmless(word, text, at):
            return None
        if is_quoted(text, at):
            inside, until, closed = end_of_quoted(text, at)
            return None if inside == until else (at, closed)
        if called := _CALLED.match(text, at):
            argument = _CALL.match(text, called.end() - 1)
            if argument and is_quoted(text, argument.end()):
                return at, end_of_group(text, called.end() - 1)
        if text[at] in "[({":
            end = end_of_braces(text, at) if text[at] == "{" else end_of_group(text, at)
            return (at, with_the_rest(text, end)) if text[at + 1 : end - 1].strip() else None
        if quoted and (atom := _ATOM.match(text, at)):
            return at, atom.end()
        return self._bare(word, begin, at, line=line)

    def _bare(self, word: str, begin: int, at: int, *, line: bool) -> Span | None:
        text = self._text
        scheme = _SCHEME.match(text, at)
        if scheme:
            at = scheme.end()
            if is_harmless(word, text, at):
                return None
        end = _end_of(_CREDENTIAL, text, at)
        if scheme or _HEADER.search(word):
            if not scheme and word.lower().endswith("authorization"):  # a scheme that is not known
                end = _end_of(_SECOND_WORD, text, end)
            while (more := _PARAMETER.match(text, end)) is not None:
                end = more.end()
        quote = text[begin - 1 : begin]
        if quote in self._closing:  # the quotes hold the key and its value: "password=x y"
            closed = self._closing[quote].at(at)
            return at, closed if closed >= end or _CLOSERS.fullmatch(text, closed, end) else end
        if line and not scheme:
            block = _BLOCK.match(text, at)
            return at, max(block.end() if block and text[at] in "|>" else self._line.at(at), end)
        if text[max(begin - 2, 0) : begin].strip()[-1:] == ";" or self._begins_a_line(begin):
            semicolon = self._semicolon.at(at)
            if end <= semicolon < self._line.at(at):  # "Password=x y;Database=z": spaces do not end it
                end = semicolon
        return at, end

    def _begins_a_line(self, begin: int) -> bool:
        start = self._text.rfind("\n", max(begin - 80, 0), begin) + 1
        if start == 0 and begin > 80:
            return False
        return _INDENT.fullmatch(self._text, start, begin) is not None


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
