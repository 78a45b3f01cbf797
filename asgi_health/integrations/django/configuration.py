"""What the setting ASGI_HEALTH says, as a HealthMiddleware."""

# Django has no types.
# pyright: basic

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from inspect import signature
from typing import Any, cast

from django.conf import settings
from django.utils.module_loading import import_string

from ...asgi.types import App
from ...core.check import Check
from ...core.normalize_checks import normalize_checks
from ...core.result import describe
from ...health import Health
from ...middleware import HealthMiddleware
from .project_checks import cache_checks, database_checks, migration_checks

SETTING = "ASGI_HEALTH"

OPTIONS = {name.upper(): name for name in signature(HealthMiddleware).parameters if name not in ("app", "checks")}
"""The options of HealthMiddleware."""

OF_PROJECT = {"DATABASES": database_checks, "CACHES": cache_checks, "MIGRATIONS": migration_checks}
"""Makes the checks of what the project has. Each is True, False, or a list of aliases."""

NAMES = ("CHECKS", *OF_PROJECT, *OPTIONS)


class SettingsError(Exception):
    """A wrong value in the settings.

    Attributes:
        number: The end of the id under which ``manage.py check`` shows it, and by which it can be silenced.
        hint: What to write instead; empty where the message says it.
    """

    def __init__(self, number: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.number = number
        self.hint = hint


def make_middleware(app: App) -> HealthMiddleware:
    """Return a HealthMiddleware around `app`, as the settings say. Raises SettingsError."""
    values = _values()
    checks = _checks(values)
    options = {OPTIONS[name]: value for name, value in values.items() if name in OPTIONS}
    try:
        return HealthMiddleware(app, checks, **options)
    except (TypeError, ValueError, ModuleNotFoundError) as error:
        raise SettingsError("E004", f"{SETTING}: {error}") from error


def make_health() -> Health:
    """Return the Health of the project, as the settings say. Raises SettingsError."""
    return _checks(_values())


def _values() -> dict[str, Any]:
    given: object = getattr(settings, SETTING, {})
    if not isinstance(given, Mapping):
        raise SettingsError("E001", f"{SETTING} must be a dict, not {given!r:.80}")
    values = dict(cast("Mapping[str, Any]", given))
    for name in values:
        if name not in NAMES:
            close = get_close_matches(str(name).upper(), NAMES, 1)
            hint = f"Did you mean {close[0]!r}?" if close else ""
            raise SettingsError("E002", f"{SETTING} has no option {name!r}, expected some of {', '.join(NAMES)}", hint)
    return {name: _imported(name, value) for name, value in values.items()}


def _imported(name: str, value: Any) -> Any:
    """Return what a dotted path names: settings cannot import modules that use models. A list may hold some."""
    if isinstance(value, list | tuple) and name == "CHECKS":
        return [_imported(name, each) for each in cast("Iterable[Any]", value)]
    if not isinstance(value, str) or name in OF_PROJECT:
        return value
    try:
        return import_string(value)
    except Exception as error:  # whatever the module raises
        message = f"{SETTING}[{name!r}]: {value!r} cannot be imported: {describe(error)}"
        raise SettingsError("E003", message, "A string is the dotted path of an object.") from error


def _checks(values: Mapping[str, Any]) -> Health:
    """Return a Health with the checks of the user and of the project; the user's replace those of the same name."""
    given = values.get("CHECKS", ())
    health = given if isinstance(given, Health) else Health()
    try:
        if not isinstance(given, Health):
            for check in _flattened(given):
                health.add(check)
        for option, make in OF_PROJECT.items():
            wanted = values.get(option, True)
            if not isinstance(wanted, bool | list | tuple):
                raise TypeError(f"{option} must be True, False or a list of aliases, not {wanted!r:.80}")
            names = {check.name for check in health.checks}
            for check in make(wanted):
                if check.name not in names:
                    health.add(check)
    except (TypeError, ValueError) as error:
        raise SettingsError("E004", f"{SETTING}: {error}") from error
    return health


def _flattened(given: Any) -> list[Check]:
    """Return the checks of ``{name: function}``, an iterable of Check, or a list of these."""
    if isinstance(given, list | tuple):
        return [check for each in cast("Iterable[Any]", given) for check in _flattened(each)]
    if isinstance(given, Check):
        return [given]
    return list(normalize_checks(given))
