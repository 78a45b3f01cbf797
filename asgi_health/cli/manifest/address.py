"""Addresses of instances, as the user writes them and as configurations do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instance:
    """Where one instance of the app listens; without a port: at that of `--port`."""

    host: str
    port: int | None = None


def parse_instance(text: str) -> Instance:
    """Return the instance that ``HOST``, ``HOST:PORT`` or ``[IPV6]:PORT`` names. Raises ValueError."""
    host, port = text, ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            host = ""
        port = rest[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    # These words become parts of configurations, so that a space, a quote or a brace would end one.
    if not host or not all(char.isalnum() or char in ".:-_%" for char in host) or not host.isascii():
        raise ValueError(f"{text!r} is not an address: expected HOST or HOST:PORT")
    if (port or text.endswith(":")) and not is_port(port):
        raise ValueError(f"{text!r}: {port!r} is not a port (1 to 65535)")
    return Instance(host, int(port) if port else None)


def is_port(text: str) -> bool:
    """Return whether `text` is a port that a client can name."""
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65535


def is_local(host: str) -> bool:
    """Return whether only processes of the same host, or of the same pod, reach `host`."""
    return host in ("localhost", "::1") or host.startswith("127.")


def at(host: str, port: int) -> str:
    """Return host and port in one word."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
