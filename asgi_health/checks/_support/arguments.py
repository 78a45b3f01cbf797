"""Validation of what a caller passes when a check is made."""

from collections.abc import Iterable

from ...core.validate import require_seconds, require_type

__all__ = ["require_host", "require_names", "require_port", "require_seconds", "require_share", "require_type"]
__all__ += ["require_whole"]


def require_host(by: str, host: object) -> None:
    """Raise TypeError or ValueError unless `host` can be a host name or an IP address."""
    if not isinstance(host, str):
        raise TypeError(f"{by}: host must be a string, not one of {type(host).__qualname__}")
    if not host or set(host) & set("/@? "):
        raise ValueError(f"{by}: host must be a name or an address alone, without scheme, user and path")


def require_port(by: str, port: object) -> None:
    """Raise TypeError or ValueError unless `port` is the number of a TCP port."""
    require_whole(by, "port", port, lowest=1, highest=65535)


def require_whole(by: str, name: str, value: object, *, lowest: int, highest: int) -> None:
    """Raise TypeError or ValueError unless `value` is a whole number from `lowest` to `highest`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{by}: {name} must be a whole number, not one of {type(value).__qualname__}")
    if not lowest <= value <= highest:
        raise ValueError(f"{by}: {name} must be from {lowest} to {highest}, not {value}")


def require_share(subject: str, value: object) -> None:
    """Raise TypeError or ValueError unless `value` is a number between 0 and 1, both excluded."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{subject} must be a number, not {value!r}")
    if not 0 < value < 1:
        raise ValueError(f"{subject} must be between 0 and 1 (0.9: 90 %), not {value!r}")


def require_names(by: str, name: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return `values`. Raises TypeError or ValueError unless they are strings that are not empty."""
    if isinstance(values, str):
        raise TypeError(f"{by}: {name} must be several strings, as [{values!r}], not a single one")
    found = tuple(values)
    for value in found:
        require_type(f"{by}: each of {name}", value, str)
        if not value:
            raise ValueError(f"{by}: {name} must not contain an empty string")
    return found
