"""Mask credentials that are recognised by their own form, without a name before them."""

import re

_BLOCK = re.compile(r"-{4,5} ?BEGIN [A-Z0-9 ]{1,60}-{4,5}")
_BLOCK_END = re.compile(r"-{4,5} ?END [A-Z0-9 ]{1,60}-{4,5}|-{4,5} ?BEGIN ")
_SENTENCE = re.compile(r"[\s'\",.;:)]*(?:[a-z]{1,15}(?=[\s,.;:)]|$)|$)")

_SCHEMES = re.compile(  # a token ends before the marker of a PEM block
    r"\b(?P<scheme>bearer|basic)\s+(?P<token>[\w.~+/=](?:[\w.~+/=]|-(?!-{3,4} ?(?:BEGIN|END) )){3,})", re.IGNORECASE
)
_PLAIN = re.compile(r"[A-Z]?[a-z]{1,15}[.-]?|[A-Z]{1,15}[.]?|[a-z_]{1,20}=|\d{1,3}|[a-z]{1,12}[-_/][a-z]{1,12}")

_TOKENS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*){0,3}"  # JWT, JWE
    r"|(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{4,}"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{4,}|github_pat_\w{4,}"
    r"|gl(?:pat|dt|rt|cbt|ptt|ft|agent|oas|soat)-[\w.-]{4,}"
    r"|xox[abceoprs](?:\.xox[a-z])?-[\w-]{4,}|xapp-[\w-]{4,}"
    r"|(?:sk|rk|pk)_(?:live|test|prod)_\w{4,}|whsec_[\w+/=]{4,}"
    r"|sk-(?:ant-|proj-|svcacct-|or-)?[\w-]{16,}"
    r"|AIza[\w-]{16,}|ya29\.[\w.-]{4,}|GOCSPX-[\w-]{4,}"
    r"|hf_[A-Za-z0-9]{16,}|npm_[A-Za-z0-9]{16,}|pypi-AgE[\w-]{8,}|dckr_pat_[\w-]{4,}"
    r"|SG\.[\w-]{8,}\.[\w-]{8,}|shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{8,}|dop_v1_[a-f0-9]{8,}"
    r"|hv[sbr]\.[\w-]{16,}|tskey-[\w-]{8,}|lin_api_\w{8,}|ATATT3[\w=-]{8,}|sq0[a-z]{3}-[\w-]{8,}|dapi[a-f0-9]{32}"
    r"|bot\d{6,12}:[\w-]{16,}"  # Telegram
    r")"
)
_HOOK = re.compile(r"(?P<keep>hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/)[^\s'\"<>]+")
_IDENTIFIED = re.compile(
    r"(?P<keep>\bidentified\s+(?:with\s+\S{1,60}\s+)?by\s+(?:password\s+)?)(?:'[^']*'?|\"[^\"]*\"?)", re.IGNORECASE
)
_COMMAND = re.compile(r"(?P<keep>\(AUTH )[^)]*")  # redis-py: a command of a pipeline
_COOKIE = re.compile(r"(?P<keep><(?:Cookie|Morsel:) |\bCookie\((?=version=))[^>)\n]+")  # the repr of a cookie in a jar
_LOGIN = re.compile(r"(?P<keep>\blogin\s+\S{1,200}\s+password\s+)\S+")  # netrc


def mask_blocks(text: str) -> str:
    """Return `text` with ``***`` in the place of the content of PEM blocks; a block that was cut has no end."""
    parts: list[str] = []
    copied = 0
    while begin := _BLOCK.search(text, copied):
        inside = begin.end()
        end = _BLOCK_END.search(text, inside)
        until = end.start() if end else len(text)
        parts.append(text[copied:inside])
        if text[inside:until].strip(" \n*") and not (
            _SENTENCE.match(text, inside) and (end is None or "BEGIN" in end[0])
        ):
            parts.append("***")
            copied = until
        else:
            copied = inside
    return "".join((*parts, text[copied:]))


def mask_tokens(text: str) -> str:
    """Return `text` with ``***`` in the place of tokens with a known prefix, or with a known scheme before them."""
    text = _TOKENS.sub("***", text)
    for pattern in (_HOOK, _IDENTIFIED, _COMMAND, _COOKIE, _LOGIN):
        text = pattern.sub(r"\g<keep>***", text)
    return _SCHEMES.sub(_scheme, text)


def _scheme(found: re.Match[str]) -> str:
    if _PLAIN.fullmatch(found["token"]):  # basic auth failed, bearer realm="x"
        return found[0]
    return f"{found[0][: found.start('token') - found.start()]}***"
