"""Django: a HealthMiddleware around the project, which finds its databases, caches and migrations by itself.

INSTALLED_APPS = [..., "asgi_health.integrations.django"]
ASGI_HEALTH = {"DRAIN": Drain(5.0), "CHECKS": "shop.health.checks"}  # optional

In asgi.py: ``from asgi_health.integrations.django import get_asgi_application``.
"""

# Django has no types.
# pyright: basic

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...middleware import HealthMiddleware

__all__ = ["get_asgi_application"]


def get_asgi_application() -> "HealthMiddleware":
    """Return Django's ASGI application with a HealthMiddleware around it. Replaces Django's function of this name.

    The setting ``ASGI_HEALTH`` holds the options of HealthMiddleware in upper case, and CHECKS, DATABASES, CACHES and
    MIGRATIONS.

    Raises:
        ModuleNotFoundError: Django is not installed.
        django.core.exceptions.ImproperlyConfigured: for wrong settings, which ``manage.py check`` shows too.
    """
    # Not at the top: Django imports this module before the apps are ready, and its handler needs them.
    from .. import not_installed

    try:
        from django.core import asgi, exceptions
    except ModuleNotFoundError as error:
        raise not_installed(error, "django", extra="django") from None
    from .configuration import SettingsError, make_middleware

    application = asgi.get_asgi_application()
    try:
        return make_middleware(application)
    except SettingsError as error:
        raise exceptions.ImproperlyConfigured(str(error)) from error.__cause__
