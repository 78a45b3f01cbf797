"""What can be an address, told when a check is made."""


def require_host(by: str, host: object) -> None:
    """Raise TypeError or ValueError, unless `host` can be a name or an address."""
    if not isinstance(host, str):
        raise TypeError(f"{by}: host must be a string, not one of {type(host).__qualname__}")
    if not host or set(host) & set("/@? "):
        raise ValueError(f"{by}: host must be a name or an address alone, without scheme, user and path")


def require_whole(by: str, name: str, value: object, *, lowest: int, highest: int) -> None:
    """Raise TypeError or ValueError, unless `value` is a whole number between the two."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{by}: {name} must be a whole number, not one of {type(value).__qualname__}")
    if not lowest <= value <= highest:
        raise ValueError(f"{by}: {name} must be from {lowest} to {highest}, not {value}")
