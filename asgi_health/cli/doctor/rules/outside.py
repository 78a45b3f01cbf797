"""Components that a probe passes before it reaches the health layer."""

import re
import sys
from collections.abc import Iterator
from typing import Any, cast

from ....asgi.app_structure import attribute
from ..facts import AppFacts, Layer
from ..finding import Finding, rule

_HARMLESS = (
    *("AsyncExitStackMiddleware", "CORSMiddleware", "ErrorMiddleware", "ExceptionMiddleware"),
    *("GZipMiddleware", "ProxyHeadersMiddleware", "ServerErrorMiddleware"),
)
_TRACERS = ("opentelemetry", "sentry_sdk")
_FRAMEWORKS = ("blacksheep", "channels", "django", "falcon", "fastapi", "litestar", "quart", "starlette")
_BY_CLASS = {
    "HTTPSRedirectMiddleware": "redirects probes that come by HTTP",
    "TrustedHostMiddleware": "answers 400 to a kubelet, whose Host header is the address of the pod",
}
_LOGGER = re.compile(r"access_?log|logging|logger", re.IGNORECASE)

LAST = (
    "wrap the app from outside, app = HealthMiddleware(app, ...), or call add_middleware(HealthMiddleware, ...) last:"
    " the last one is the outermost"
)


def _middlewares(layer: Layer) -> Iterator[Any]:
    """Yield the components outside of the layer that are no part of a framework's own."""
    for each in layer.outside:
        kind = cast("type[object]", type(each))
        root = kind.__module__.partition(".")[0]
        own = root in _FRAMEWORKS and ".middleware" not in kind.__module__  # FastAPI adds some to each app
        if not own and kind.__name__ not in _HARMLESS and kind.__name__ not in ("method", "partial"):
            yield each


def _name(component: Any) -> str:
    if isinstance(getattr(component, "__qualname__", None), str):
        return f"{component.__qualname__}()"
    return type(component).__name__


def _traces(component: Any) -> bool:
    return type(component).__module__.partition(".")[0] in _TRACERS


def _logs(component: Any) -> bool:
    return bool(_LOGGER.search(f"{type(component).__module__}.{_name(component)}"))


@rule(
    "outside-middleware",
    "warning",
    "Each probe passes it first. What it refuses, delays or raises is the answer that the prober gets.",
)
def outside_middleware(facts: AppFacts) -> Iterator[Finding]:
    for layer in facts.layers[:1]:
        for each in _middlewares(layer):
            if not _traces(each) and not _logs(each):
                known = _BY_CLASS.get(type(each).__name__)
                yield Finding(f"{_name(each)} is outside of HealthMiddleware{f', and {known}' if known else ''}", LAST)


@rule("logged-probes", "warning", "Each probe leaves a line in the log, some 25,000 a day for each instance.")
def logged_probes(facts: AppFacts) -> Iterator[Finding]:
    for layer in facts.layers[:1]:
        for each in _middlewares(layer):
            if not _traces(each) and _logs(each):
                yield Finding(f"{_name(each)} is outside of HealthMiddleware, and logs requests", LAST)


@rule("traced-probes", "warning", "Each probe leaves a trace, some 25,000 a day for each instance.")
def traced_probes(facts: AppFacts) -> Iterator[Finding]:
    for layer in facts.layers[:1]:
        for each in layer.outside:
            if type(each).__name__ == "OpenTelemetryMiddleware":
                excluded = attribute(each, "excluded_urls")
                traced = [
                    path
                    for path in layer.paths.all
                    if not excluded or not excluded.url_disabled(f"http://localhost{path}")
                ]
                if traced:
                    yield Finding(
                        f"OpenTelemetryMiddleware is outside of HealthMiddleware, and traces {' '.join(traced)}",
                        "excluded_urls=excluded_urls() of asgi_health.integrations.opentelemetry",
                    )
        sentry = sys.modules.get("sentry_sdk")
        if sentry is not None and layer.outside:
            options = sentry.get_client().options
            if options.get("traces_sample_rate") and not options.get("traces_sampler"):
                yield Finding(
                    "Sentry is outside of HealthMiddleware, and traces probes with traces_sample_rate",
                    "traces_sampler=traces_sampler(...) of asgi_health.integrations.sentry",
                )


RULES = (outside_middleware, logged_probes, traced_probes)
