"""The app for INSTALLED_APPS."""

# Django has no types.
# pyright: basic

from django.apps import AppConfig
from django.core.checks import register

from .system_checks import check_settings


class HealthConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    """Adds the check of the settings and the command ``manage.py health``."""

    name = "asgi_health.integrations.django"
    label = "asgi_health"
    verbose_name = "ASGI health"

    def ready(self) -> None:
        """Register the check of the settings; Django calls this."""
        register(check_settings)
