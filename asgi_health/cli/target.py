"""Where a probe goes: what a URL says, refused when it could not work."""

import _socket  # `socket` costs as much as the rest of the probe

_NAME = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._")


class Target:
    """A server and what to ask it for."""

    __slots__ = ("authority", "host", "path", "port", "secure", "shown", "socket")

    def __init__(
        self,
        shown: str,
        path: str,
        authority: str,
        *,
        host: str = "",
        port: int = 0,
        secure: bool = False,
        socket: str = "",
    ) -> None:
        self.shown = shown
        """The URL as a message may show it: without its query, in which there may be a secret."""
        self.path = path
        """What stands in the request line."""
        self.authority = authority
        """What stands in the Host header."""
        self.host = host
        self.port = port
        self.secure = secure
        self.socket = socket
        """The path of a unix socket; empty: `host` and `port` say where."""


def parse_url(url: str) -> Target:
    """Return what `url` says: ``http://host/path``, ``https://host/path`` or, as in nginx, ``unix:/socket:/path``.

    Raises ValueError, which does not repeat a password, for anything else.
    """
    shown = _shown(url)
    if url.startswith("unix:"):
        return _unix(url, shown)
    for scheme, port in (("http://", 80), ("https://", 443)):
        if url[: len(scheme)].lower() == scheme:
            return _tcp(url[len(scheme) :], shown, port)
    raise ValueError(f"{shown!r}: expected http://host/path, https://host/path or unix:/socket:/path")


def _unix(url: str, shown: str) -> Target:
    path, _, rest = url.removeprefix("unix:").partition(":/")
    if not path:
        raise ValueError(f"{shown!r} names no socket: expected unix:/socket:/path")
    if not path.isprintable():
        raise ValueError(f"{shown!r}: the path of the socket has a control character")
    return Target(shown, _requested("/" + rest, shown), "localhost", socket=path)


def _tcp(rest: str, shown: str, port: int) -> Target:
    end = min((place for place in map(rest.find, "/?#") if place >= 0), default=len(rest))
    authority, path = rest[:end], _requested(rest[end:], shown)
    if "@" in authority:
        raise ValueError("user:password@ in a URL is not taken; write --header 'Authorization: ...'")
    if authority.startswith("["):
        host, closed, given = authority[1:].partition("]")
        host, zoned, zone = host.partition("%")
        zone = zone.removeprefix("25")
        if not closed or not _is_ipv6(host) or not _NAME.issuperset(zone) or bool(zoned) != bool(zone):
            raise ValueError(f"{shown!r}: what is in brackets is no IPv6 address")
        shared = f"[{host}]"
        host = f"{host}%{zone}" if zone else host
    else:
        host, colon, given = authority.partition(":")
        if ":" in given:
            raise ValueError(f"{shown!r}: an IPv6 address goes in brackets, as in http://[::1]:8000/")
        given = colon + given
        shared = host
        # Whoever looks a name up, or compares it with a certificate, may raise something odd for a longer label.
        labels = host.removesuffix(".").split(".")
        if not _NAME.issuperset(host) or not all(0 < len(label) <= 63 for label in labels):
            raise ValueError(f"{shown!r} names no host (letters, digits, '-' and '.')")
    if given:
        digits = given[1:]
        if not (
            given[0] == ":"
            and digits.isascii()
            and digits.isdecimal()
            and len(digits) <= 5
            and 0 < int(digits) <= 65535
        ):
            raise ValueError(f"{shown!r}: expected a port (1 to 65535) behind the host")
        shared += f":{int(digits)}"
    return Target(shown, path, shared, host=host, port=int(given[1:]) if given else port, secure=port == 443)


def _requested(path: str, shown: str) -> str:
    path = path.partition("#")[0]
    if not all("!" <= char <= "~" for char in path):
        raise ValueError(f"{shown!r}: a space, a control character or one that is not ASCII has to be written as %XX")
    return path if path.startswith("/") else f"/{path}"


def _is_ipv6(host: str) -> bool:
    try:
        _socket.inet_pton(_socket.AF_INET6, host)
    except (OSError, ValueError):
        return False
    return True


def _shown(url: str) -> str:
    url = url.partition("?")[0].partition("#")[0]
    return f"***{url[url.rindex('@') :]}" if "@" in url else url
