"""Connections to other technologies. Applications import them; nothing else of the package does."""


def not_installed(error: ModuleNotFoundError, client: str, *, extra: str) -> ModuleNotFoundError:
    """Return the error that names the extra to install, or `error` itself where another module is missing.

    Args:
        error: The error of the import.
        client: Name of the package to import, which the extra installs.
        extra: Name of the extra.
    """
    if (error.name or "").partition(".")[0] != client:
        return error
    return ModuleNotFoundError(f'{client} is not installed; try: pip install "asgi-health[{extra}]"', name=error.name)
