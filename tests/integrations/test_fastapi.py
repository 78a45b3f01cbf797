"""FastAPI: the Health as a dependency, and the health paths in the OpenAPI document."""

import json
from typing import Annotated, Any

import anyio
import pytest
from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from asgi_health import Health, HealthMiddleware, Paths, ServiceInfo
from asgi_health.asgi.types import App
from asgi_health.integrations.fastapi import add_openapi, get_health
from asgi_health.testing import lifespan, probe, settled

from ..support.asgi_caller import get

UNTYPED: Any = add_openapi


async def database() -> None: ...


def shop() -> FastAPI:
    """Return an app whose route names the checks of its Health."""
    app = FastAPI()

    @app.get("/checks")
    async def checks(health: Annotated[Health, Depends(get_health)]) -> list[str]:
        return [check.name for check in health.checks]

    return app


def added(health: Health) -> App:
    app = shop()
    app.add_middleware(HealthMiddleware, checks=health)
    app.add_middleware(CORSMiddleware)
    return app


def wrapped(health: Health) -> App:
    return HealthMiddleware(shop(), health)


def wrapped_with_another_between(health: Health) -> App:
    return HealthMiddleware(CORSMiddleware(shop()), health)


def mounted(health: Health) -> App:
    outer = FastAPI()
    outer.mount("/", shop())
    return HealthMiddleware(outer, health)


def added_to_the_outer(health: Health) -> App:
    outer = FastAPI()
    outer.add_middleware(HealthMiddleware, checks=health)
    outer.mount("/", shop())
    return outer


WAYS = [added, wrapped, wrapped_with_another_between, mounted, added_to_the_outer]


@pytest.mark.parametrize("way", WAYS)
def test_a_route_gets_the_health_of_the_middleware_around_its_app(way: Any) -> None:
    another = wrapped(Health({"another": database}))
    app = way(Health({"database": database}))
    for _ in range(2):
        reply = get(app, "/checks")
        assert (reply.status, reply.body) == (200, b'["database"]')
    assert get(another, "/checks").body == b'["another"]'


def test_of_several_around_one_app_it_is_the_one_that_serves_or_else_the_last() -> None:
    inner = shop()
    first, last = (HealthMiddleware(inner, {name: database}) for name in ("first", "last"))
    assert get(first, "/checks").body == b'["last"]'

    async def main() -> None:
        async with lifespan(first):
            assert (await probe(first, "/checks")).body == b'["first"]'

    anyio.run(main)
    assert last.app is inner


def test_without_a_middleware_the_error_says_what_is_missing() -> None:
    with pytest.raises(RuntimeError, match=r"get_health: there is no HealthMiddleware around this FastAPI"):
        get(shop(), "/checks")


def test_the_health_paths_are_in_the_document_in_both_ways_in() -> None:
    plain = shop().openapi()
    for app in (added_app := shop(), wrapped_app := shop()):
        add_openapi(app)
    added_app.add_middleware(HealthMiddleware, paths=Paths(live="/alive", ready=None, startup=None, health=None))
    assert {*added_app.openapi()["paths"]} == {"/checks", "/alive"}
    layer = HealthMiddleware(wrapped_app)
    document = wrapped_app.openapi()
    assert {*document["paths"]} == {"/checks", *layer.paths.all}
    assert document["paths"]["/checks"] == plain["paths"]["/checks"]
    assert wrapped_app.openapi() is document
    operations = [document["paths"][path]["get"]["operationId"] for path in layer.paths.all]
    assert len({*operations}) == len(operations)
    # The document is made anew when a route is added, and has the health paths again.
    wrapped_app.get("/late")(database)
    assert {*layer.paths.all} < {*wrapped_app.openapi()["paths"]}
    assert get(layer, "/openapi.json").json["paths"].keys() >= {"/readyz", "/checks"}


def test_a_route_of_the_app_with_the_same_path_keeps_its_own_entry() -> None:
    app = shop()
    app.get("/livez", summary="its own")(database)
    add_openapi(app, Paths(live="/livez"))
    assert app.openapi()["paths"]["/livez"]["get"]["summary"] == "its own"


def test_the_schema_describes_what_is_answered() -> None:
    app = shop()
    add_openapi(app, Paths())
    schema = app.openapi()["components"]["schemas"]["HealthJson"]

    async def main() -> Any:
        health = Health({"database": database})
        layer = HealthMiddleware(app, health, details=True, service=ServiceInfo("shop", "1", "2", "x", notes=("n",)))
        async with lifespan(layer):
            await settled(health)
            health.maintain("database", 60.0, "a new disk")
            health.maintain(None, 60.0, "a new rack")
            return await probe(layer, "/health")

    document = json.loads(anyio.run(main).body)
    matches(document, schema)
    assert {*document} == {*schema["properties"]} - {"links"}


KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "boolean": bool,
}


def matches(value: Any, schema: dict[str, Any]) -> None:
    """Check the part of JSON Schema that the schema uses; it must name every property."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert any(isinstance(value, KINDS[each]) for each in types), (value, schema)
    assert value in schema.get("enum", [value])
    if isinstance(value, dict):
        assert {*schema.get("required", ())} <= {*value}
        for key, each in value.items():
            matches(each, schema["properties"][key] if "properties" in schema else schema["additionalProperties"])
    if isinstance(value, list):
        for each in value:
            matches(each, schema["items"])


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"add_openapi: app must be a FastAPI, not .*pass the one inside"):
        UNTYPED(HealthMiddleware(shop()))
    with pytest.raises(TypeError, match="add_openapi: paths must be Paths or None, not '/livez'"):
        UNTYPED(shop(), "/livez")
    app = shop()
    add_openapi(app)
    with pytest.raises(RuntimeError, match=r"add_openapi: there is no HealthMiddleware around 'FastAPI'"):
        app.openapi()
