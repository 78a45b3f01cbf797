"""Parse the URL of a probe, and refuse one that cannot work."""

import _socket  # importing `socket` costs as much as the rest of the probe

_HOST_CHARACTERS = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._")


class Target:
    """A server and the path to request, or a file.

    Attributes:
        display_url: The URL for messages. It has no query, because a query may contain a secret.
        path: The path and query of the request line.
        authority: The value of the Host header.
        host: The host name or address, for TCP.
        port: The TCP port.
        secure: Whether to use TLS.
        socket: The path of a unix socket. Empty: TCP to `host` and `port`.
        file: The path of a file that a healthy app touches; then no server is asked.
    """

    __slots__ = ("authority", "display_url", "file", "host", "path", "port", "secure", "socket")

    def __init__(
        self,
        display_url: str,
        path: str,
        authority: str,
        *,
        host: str = "",
        port: int = 0,
        secure: bool = False,
        socket: str = "",
        file: str = "",
    ) -> None:
        self.display_url = display_url
        self.path = path
        self.authority = authority
        self.host = host
        self.port = port
        self.secure = secure
        self.socket = socket
        self.file = file


def parse_url(url: str) -> Target:
    """Return the target of ``http://host/path``, ``https://host/path``, ``file:/path`` or ``unix:/socket:/path``.

    Raises ValueError for any other URL. The message does not repeat a password.
    """
    display_url = _without_secrets(url)
    if url.startswith("unix:"):
        return _unix(url, display_url)
    if url.startswith("file:"):
        return _file(url)
    for scheme, port in (("http://", 80), ("https://", 443)):
        if url[: len(scheme)].lower() == scheme:
            return _tcp(url[len(scheme) :], display_url, port)
    raise ValueError(f"{display_url!r}: expected http://host/path, https://host/path, unix:/socket:/path or file:/path")


def _unix(url: str, display_url: str) -> Target:
    path, _, rest = url.removeprefix("unix:").partition(":/")
    if not path:
        raise ValueError(f"{display_url!r} names no socket; expected unix:/socket:/path")
    if not path.isprintable():
        raise ValueError(f"{display_url!r}: the path of the socket has a control character")
    return Target(display_url, _request_path("/" + rest, display_url), "localhost", socket=path)


def _file(url: str) -> Target:
    path = url.removeprefix("file:")
    if path.startswith("///"):  # RFC 8089: an empty host
        path = path[2:]
    if not path.startswith("/") or path.startswith("//") or path.endswith("/"):
        raise ValueError(f"{url!r} names no file; expected file:/path")
    if not path.isprintable():
        raise ValueError(f"{url!r}: the path of the file has a control character")
    return Target(url, "", "", file=path)


def _tcp(rest: str, display_url: str, default_port: int) -> Target:
    end = min((index for index in map(rest.find, "/?#") if index >= 0), default=len(rest))
    authority, path = rest[:end], _request_path(rest[end:], display_url)
    if "@" in authority:
        raise ValueError("user:password@ in a URL is not supported; use --header 'Authorization: ...'")
    if authority.startswith("["):
        host, closed, port_text = authority[1:].partition("]")
        host, percent, zone = host.partition("%")
        zone = zone.removeprefix("25")
        if not closed or not _is_ipv6(host) or not _HOST_CHARACTERS.issuperset(zone) or bool(percent) != bool(zone):
            raise ValueError(f"{display_url!r}: the text in brackets is not an IPv6 address")
        authority = f"[{host}]"
        host = f"{host}%{zone}" if zone else host
    else:
        host, colon, port_text = authority.partition(":")
        if ":" in port_text:
            raise ValueError(f"{display_url!r}: an IPv6 address goes in brackets, as in http://[::1]:8000/")
        port_text = colon + port_text
        authority = host
        # For a label that is empty or longer than 63 bytes (RFC 1035, 2.3.4) the resolver and ssl raise UnicodeError.
        labels = host.removesuffix(".").split(".")
        if not _HOST_CHARACTERS.issuperset(host) or not all(0 < len(label) <= 63 for label in labels):
            raise ValueError(f"{display_url!r} names no host (letters, digits, '-' and '.')")
    if port_text:
        digits = port_text[1:]
        if not (
            port_text[0] == ":"
            and digits.isascii()
            and digits.isdecimal()
            and len(digits) <= 5
            and 0 < int(digits) <= 65535
        ):
            raise ValueError(f"{display_url!r}: expected a port (1 to 65535) after the host")
        authority += f":{int(digits)}"
    port = int(port_text[1:]) if port_text else default_port
    return Target(display_url, path, authority, host=host, port=port, secure=default_port == 443)


def _request_path(path: str, display_url: str) -> str:
    path = path.partition("#")[0]
    if not all("!" <= char <= "~" for char in path):
        raise ValueError(f"{display_url!r}: write spaces, control characters and characters that are not ASCII as %XX")
    return path if path.startswith("/") else f"/{path}"


def _is_ipv6(host: str) -> bool:
    try:
        _socket.inet_pton(_socket.AF_INET6, host)
    except (OSError, ValueError):
        return False
    return True


def _without_secrets(url: str) -> str:
    url = url.partition("?")[0].partition("#")[0]
    return f"***{url[url.rindex('@') :]}" if "@" in url else url
