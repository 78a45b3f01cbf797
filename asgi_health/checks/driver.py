"""Where a driver is imported: when a check is made, and with advice when it is missing."""

from importlib import import_module
from typing import Any


def load(module: str, *, extra: str) -> Any:
    """Return `module` of a driver.

    Raises ModuleNotFoundError with the extra that brings the driver where it is not installed. What the driver itself
    lacks is raised as it is.
    """
    driver = module.partition(".")[0]
    try:
        import_module(driver)
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != driver:
            raise
        raise ModuleNotFoundError(
            f'{driver} is not installed; try: pip install "asgi-health[{extra}]"', name=error.name
        ) from None
