"""Words that name a credential, and and values after such words that are not credentials."""

import re

from .scan import AFTER_QUOTE

_PARTS = "pass|pwd|secret|token|credential|creds|sig|session|sessid|cookie|auth|dsn|csrf|xsrf|jwt"
_KINDS = "api|access|account|private|signing|encryption|master|shared|hmac|fernet|ssh|subscription"
_CREDENTIAL = re.compile(rf"{_PARTS}|(?:{_KINDS})(?:[_.-]| {{1,8}})?key", re.IGNORECASE)
_KIND = re.compile(rf"(?<![a-z])[\w$.-]{{0,20}}(?:{_KINDS}) {{1,8}}$")

MARK = re.compile(f"{_PARTS}|key|value")
"""Parts of such names, in small letters: the first search, which must be quick."""

_INNOCENT = re.compile(
    # words that contain such a part and name no credential
    r"pass(?:ed|es|ing(?!word)|ive|enger|age|through|[_-]through)|(?:by|com|sur|tres)pass(?!w|p)|passwordless"
    r"|author(?!i[sz])|authentic(?!at)|(?:un)?(?:authenticated|authori[sz]ed)"
    r"|(?:www|proxy)-authenticate|tokeni[sz]|secretar|(?:ob|pos)session|sessionmaker|cookiecutter"
    # words in which sig and dsn occur by accident: design, signal, friendsname
    r"|sig(?=[a-z])(?!nature|ning.?key)|(?<=[a-z])dsn(?=[a-z])",
    re.IGNORECASE,
)
_TYPE_NAME = re.compile(  # AuthenticationError, TokenExpired, auth.py, session.go
    r"(?:Error|Exception|Warning|Failure|Failed|Fault|Expired|Invalid|Required|Denied|NotFound|Missing|Timeout)$"
    r"|\.(?:pyi?|pyc|pyx|so|json|ya?ml|toml|ini|cfg|conf|txt|pem|crt|sock|db|sqlite3?|js|ts|go|rb|html|log)$"
)
_TAIL = r"(?:[_.-]|(?<=[a-z])(?=[A-Z]))(?i:%s)$"
_MEASURE = re.compile(
    _TAIL
    % (
        "counts?|limits?|total|ttl|timeout|(?:max_?)?age|expir[a-z]*(?:_?(?:in|at))?|len|length|size|bytes|rate|ratio"
        "|percent|seconds|secs?|ms|minutes|hours|days|lifetime|duration|interval|attempts|retries|failures|errors"
        "|usage|used|remaining|left|budget|window|version|iterations|rounds|min|max|per_[a-z]+"
    )
    + r"|(?i:tokens|sessions|cookies|secrets)$"
)
_ATTRIBUTE = re.compile(
    _TAIL
    % "types?|methods?|mechanisms?|mode|provider|plugin|backend|algorithm|alg|scheme|status|error|policy|class|name"
    + "|"
    + _TAIL % "url|uri|endpoint|host|server|file|path|dir"
    + "|"
    + _TAIL % "service|db|pod|pool|cache|store|bucket|queue|table|cluster|node|worker"  # auth-service: 503
    + "|(?i:authentication)$"
)
_WHERE = re.compile(_TAIL % "url|uri|endpoint|file|path|dir")

_END = r"(?=$|[\s,;)\]}&'\"]|[.:!?…](?:\s|$))"
_END_OF_PROSE = r"(?=$|\s|[.,;:!?)\]}\"'…]+(?:[\s,\]}]|$))"
_NUMBER = re.compile(
    r"(?:[+-]?\d{1,9}(?:[.,/]\d{1,9}){0,3} ?(?:[a-zµ]{1,3}|%)?"
    r"|\d{4}-\d\d-\d\d(?:[T ][\d:.]{1,16}(?:Z|[+-][\d:]{4,6})?)?)" + _END,
    re.IGNORECASE,
)
_PLAIN_WORD = re.compile(
    r"(?:[A-Za-z]{1,20}(?:[_-][A-Za-z]{1,20}){0,3}|scram-sha-\d{1,3}|sha-?\d{1,3}|md5|[HREP]S\d{3})" + _END,
    re.IGNORECASE,
)
_PLACE = re.compile(r"(?:[A-Za-z][A-Za-z0-9+]*://|~?\.{0,2}/)[^\s,;'\"]{1,300}")
_NOTHING = re.compile(
    r"(?:none|null|nil|true|false|yes|no|undefined|''(?!')|\"\"(?!\")|\*{1,2}…|…)"
    + _END
    + rf"|\*{{3,}}…?{AFTER_QUOTE}",
    re.IGNORECASE,
)
_OBJECT = re.compile(r"<[\w.]+(?: \w+)? object at 0x[0-9a-fA-F]+>|<class '[\w.]+'>")
_TYPE = re.compile(
    r"(?:[\w]+\.)*(?:str|bytes|bytearray|int|float|bool|object|Any|Optional|Union|Annotated|Final|ClassVar|Literal"
    r"|Secret(?:Str|Bytes)?|string|String)(?:\[[^\]=\n]{0,80}\]{1,3})?(?: ?\| ?\w+)*"
)
_PROSE = re.compile(
    r"(?:(?:not|no|is|isn't|was|wasn't|are|has|had|does|doesn't|did|must|should|cannot|can't|could|couldn't|would"
    r"|unable|missing|required|requires|needs|expected|expects|got|invalid|expired|expires|unknown|unset|empty|wrong"
    r"|incorrect|failed|failure|fails|denied|refused|rejected|revoked|unavailable|unreachable|unsupported"
    r"|unexpected|unauthorized|forbidden|disabled|enabled|timed|timeout|already|connection|closed|mismatch|malformed"
    r"|verification|validation|down|noauth|(?:permission|access|login) denied|lost (?:connection|contact)"
    r"|file not found|server (?:answered|closed|error|is|returned|said|unavailable)"
    r"|[1-5]\d\d (?:internal|service|bad|gateway|not|too|unauthorized|forbidden|moved|found|ok)"
    r"|\d{1,9} (?:of \d{1,9}|active|down|expired|failed|left|missing|open|unhealthy))"
    rf"|[\w.]*(?:Error|Exception|Warning)){_END_OF_PROSE}",
    re.IGNORECASE,
)
_GLUE = re.compile(
    rf"(?:and|or|to|for|with|of|if|by|from|option|options|flag|argument|arguments|parameter|instead){_END}",
    re.IGNORECASE,
)
_BAD = re.compile(r"(?:unexpected|unrecogni[sz]ed|illegal)\s+$", re.IGNORECASE)
_SYNTAX = re.compile(r"(?:[A-Za-z]{1,20}|\d{1,4}|[^\w\s]{0,4})")
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*")
_PORT = re.compile(r":\d{2,5}(?=$|[\s/,;)\]}'\"]|[.:](?:\s|$))")


def names_a_credential(word: str) -> bool:
    """Return whether the value behind `word`, a key of any kind, is a credential."""
    return _CREDENTIAL.search(_INNOCENT.sub("-", word)) is not None and _TYPE_NAME.search(word) is None


def before_key(lower: str, begin: int) -> int:
    """Return the beginning of the name whose last word is the `key` at `begin`: account key, API key."""
    start = max(begin - 40, 0)
    kind = _KIND.search(lower[start:begin])
    return begin if kind is None else start + kind.start()


def is_harmless(word: str, text: str, begin: int) -> bool:
    """Return whether the value at `begin` is not a credential, although `word` names one.

    That is so for an absent value, a number behind the name of a measure (`token_count`), a plain word behind the name
    of an attribute (`auth_method`), a type, an object, and the words of an error message.
    """
    if _NOTHING.match(text, begin) or _OBJECT.match(text, begin) or is_prose(text, begin):
        return True
    attribute = _ATTRIBUTE.search(word)
    begin += text.startswith(("'", '"'), begin)
    if (attribute or _MEASURE.search(word)) and _NUMBER.match(text, begin):
        return True
    if attribute:
        return bool(_PLAIN_WORD.match(text, begin) or (_WHERE.search(word) and _PLACE.match(text, begin)))
    return False


def is_prose(text: str, begin: int) -> bool:
    """Return whether an error message goes on at `begin`: ``secret: not found in vault``."""
    return _PROSE.match(text, begin) is not None


def is_glue(text: str, begin: int) -> bool:
    """Return whether a sentence goes on at `begin`, behind the name of an option: ``use --password to set it``."""
    return is_prose(text, begin) or _GLUE.match(text, begin) is not None


def is_host(word: str, text: str, begin: int, end: int) -> bool:
    """Return whether the word from `begin` to `end` is the name of a host, with a port behind it: ``http://auth:8080/``.

    That is so in a URL, whose own credentials are masked already; where the last part of the name does not name a
    credential; and for a service whose name is `auth` alone.
    """
    if not _PORT.match(text, end) or not _HOST.fullmatch(word):
        return False
    rest, _, last = word.rpartition(".")
    in_url = text.endswith("://", 0, begin)
    return in_url or bool(rest and not names_a_credential(last)) or word in ("auth", "oauth")


def is_syntax(text: str, word: str, begin: int, value: str) -> bool:
    """Return whether the token at `begin` belongs to a grammar: ``unexpected token: 'DROP'``."""
    return word.lower() == "token" and bool(_BAD.search(text[max(begin - 16, 0) : begin]) and _SYNTAX.fullmatch(value))


def end_of_type(text: str, begin: int) -> int:
    """Return the end of the known type at `begin`; `begin` where there is none."""
    match = _TYPE.match(text, begin)
    return match.end() if match else begin
