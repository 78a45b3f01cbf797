"""The health paths in the OpenAPI document of FastAPI."""

from typing import Any

from ...asgi.app_structure import attribute
from ...asgi.paths import Paths
from ...core.status import Probe
from ...middleware import HealthMiddleware
from .. import not_installed
from .dependency import find_middleware

try:
    from fastapi import FastAPI
except ModuleNotFoundError as error:
    raise not_installed(error, "fastapi", extra="fastapi") from None

SCHEMA_NAME = "HealthJson"

SUMMARIES = {
    Probe.LIVENESS: "Whether the process is alive",
    Probe.READINESS: "Whether the app takes requests",
    Probe.STARTUP: "Whether the app has started",
    Probe.HEALTH: "All checks together",
}

STATUS = {"type": "string", "enum": ["pass", "warn", "fail"]}

MAINTENANCE: dict[str, Any] = {
    "type": "object",
    "required": ["since", "until"],
    "properties": {
        "since": {"type": "string", "format": "date-time"},
        "until": {"type": "string", "format": "date-time"},
        "reason": {"type": "string"},
    },
}

CHECK: dict[str, Any] = {
    "type": "object",
    "description": "The state of a check, or one value that it has observed.",
    "properties": {
        "status": STATUS,
        "group": {"type": "string"},
        "time": {"type": "string", "format": "date-time", "description": "When the last run ended."},
        "responseTime": {"type": "number", "description": "Milliseconds that the last run took."},
        "output": {"type": "string", "description": "The reason."},
        "maintenance": MAINTENANCE,
        "observedValue": {"type": ["number", "string", "boolean"]},
        "observedUnit": {"type": "string"},
    },
}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": (
        "application/health+json, of draft-inadarei-api-health-check-06. Clients without permission to read the details"
        " get the status and the phase alone."
    ),
    "required": ["status"],
    "properties": {
        "status": STATUS,
        "version": {"type": "string"},
        "releaseId": {"type": "string"},
        "serviceId": {"type": "string"},
        "description": {"type": "string"},
        "notes": {"type": "array", "items": {"type": "string"}},
        "links": {"type": "object", "additionalProperties": {"type": "string"}},
        "maintenance": MAINTENANCE,
        "checks": {"type": "object", "additionalProperties": {"type": "array", "items": CHECK}},
    },
}


def add_openapi(app: FastAPI, paths: Paths | None = None, *, tag: str = "health") -> None:
    """Show the health paths in the OpenAPI document of `app`, with the schema of application/health+json.

    Args:
        app: The FastAPI app.
        paths: The paths to show. None: those of the HealthMiddleware, which is found when the document is made.
        tag: The heading under which the documentation shows the paths.

    Raises:
        TypeError: for an argument of another type.
        RuntimeError: when the document is made, if `paths` is None and there is no HealthMiddleware.
    """
    if not isinstance(app, FastAPI):  # pyright: ignore[reportUnnecessaryIsInstance]  callers without types
        raise TypeError(f"add_openapi: app must be a FastAPI, not {app!r:.80}; pass the one inside of HealthMiddleware")
    if paths is not None and not isinstance(paths, Paths):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"add_openapi: paths must be Paths or None, not {paths!r:.80}")
    of_framework = app.openapi

    def openapi() -> dict[str, Any]:
        document = of_framework()  # it is kept between calls, and made anew when the routes have changed
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if schemas.get(SCHEMA_NAME) is not SCHEMA:
            schemas.setdefault(SCHEMA_NAME, SCHEMA)
            for path, operations in _operations(_paths_of(app) if paths is None else paths, tag).items():
                document.setdefault("paths", {}).setdefault(path, operations)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _paths_of(app: FastAPI) -> Paths:
    for each in app.user_middleware:  # before the first request has made the middlewares
        if isinstance(each.cls, type) and issubclass(each.cls, HealthMiddleware):
            paths = each.kwargs.get("paths", Paths())
            return paths if isinstance(paths, Paths) else Paths()
    middleware = find_middleware(app)
    if middleware is None:
        raise RuntimeError(
            f"add_openapi: there is no HealthMiddleware around {attribute(app, 'title')!r}; expected one, or paths=..."
        )
    return middleware.paths


def _operations(paths: Paths, tag: str) -> dict[str, Any]:
    content = {"application/health+json": {"schema": {"$ref": f"#/components/schemas/{SCHEMA_NAME}"}}}
    return {
        path: {
            "get": {
                "tags": [tag],
                "summary": SUMMARIES[probe],
                "operationId": f"health_{path.strip('/').replace('/', '_')}",
                "responses": {
                    "200": {"description": "It passes, perhaps with warnings", "content": content},
                    "503": {"description": "It fails", "content": content},
                },
            }
        }
        for probe in Probe
        for path in paths.of(probe)
    }
