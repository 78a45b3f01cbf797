"""django-health-check on Django's ASGI handler."""

from datetime import timedelta
from importlib import import_module
from typing import Any

from ..setup import OTHER, WORK, App, CheckFunction, Setup, work

urlpatterns: list[Any] = []
"""The pages of the app: this module is Django's ROOT_URLCONF."""


def django_health_check(setup: Setup) -> App:
    """Return HealthCheckView with one check class per dependency. It has no cache; text is its cheapest format."""
    import django
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import HttpResponse, JsonResponse
    from django.urls import path

    async def items(request: Any) -> Any:
        return JsonResponse({"items": []})

    async def working(request: Any) -> Any:
        return HttpResponse(work())

    if not settings.configured:
        # Without middleware: the cheapest that Django can be.
        settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, LOGGING_CONFIG=None, SECRET_KEY="benchmark")
        django.setup()
    view = import_module("health_check.views").HealthCheckView
    checks = [_check_class(name, function, setup.timeout) for name, function in setup.checks]
    urlpatterns[:] = [
        path(OTHER[1:], items),
        path(WORK[1:], working),
        path("health/ready", view.as_view(checks=checks)),
        path("health/live", view.as_view(checks=[])),
    ]
    app: App = get_asgi_application()
    return app


def _check_class(name: str, check: CheckFunction, timeout: float) -> Any:
    unavailable = import_module("health_check.exceptions").ServiceUnavailable

    async def run(self: object) -> None:
        if not await check():
            raise unavailable("down")

    members = {"run": run, "timeout": timedelta(seconds=timeout), "__repr__": lambda self: name}
    return type("Dependency", (import_module("health_check.base").HealthCheck,), members)
