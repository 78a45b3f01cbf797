"""The check of the setting ASGI_HEALTH that ``manage.py check`` and other commands run."""

# Django has no types.
# pyright: basic

from typing import Any

from django.core.checks import Error

from .configuration import SettingsError, make_middleware


def check_settings(app_configs: Any = None, **_: Any) -> list[Error]:
    """Return the error of the settings, if there is one. Nothing is started and no check is run."""
    try:
        make_middleware(_no_app)
    except SettingsError as error:
        return [Error(str(error), hint=error.hint or None, id=f"asgi_health.{error.number}")]
    return []


async def _no_app(*_: Any) -> None:
    """Stand for the app: it is not called."""
