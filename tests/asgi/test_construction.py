"""What HealthMiddleware accepts and refuses when it is made."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from asgi_health import Check, Health, HealthMiddleware, Paths, ServiceInfo, healthy, unhealthy

from ..support.asgi_caller import echo_nothing, get
from ..support.known_state import Clock, health_with, make_check, never_run


async def asynchronous() -> None:
    raise AssertionError("never run")


@pytest.mark.parametrize("app", [None, "module:app", object(), 3])
def test_an_app_that_cannot_be_called_is_refused(app: object) -> None:
    with pytest.raises(TypeError, match="app must be"):
        HealthMiddleware(cast("Any", app))


@pytest.mark.parametrize("paths", [None, "/health", ("/health",), {"live": "/livez"}, Paths])
def test_paths_must_be_paths(paths: object) -> None:
    with pytest.raises(TypeError, match="paths must be"):
        HealthMiddleware(echo_nothing, paths=cast("Any", paths))


@pytest.mark.parametrize("service", ["shop", {"name": "shop"}, ServiceInfo])
def test_service_must_be_a_service_info(service: object) -> None:
    with pytest.raises(TypeError, match="service must be"):
        HealthMiddleware(echo_nothing, service=cast("Any", service))


@pytest.mark.parametrize("details", [None, 1, 0, "secret", ["10.0.0.0/8"]])
def test_details_must_be_a_boolean_or_a_function(details: object) -> None:
    with pytest.raises(TypeError, match="details must be"):
        HealthMiddleware(echo_nothing, details=cast("Any", details))


def test_an_async_details_policy_is_refused() -> None:
    async def policy(scope: object) -> bool:
        raise AssertionError("never called")

    with pytest.raises(TypeError, match="details must be"):
        HealthMiddleware(echo_nothing, details=cast("Any", policy))


@pytest.mark.parametrize(
    ("checks", "error"),
    [
        (5, TypeError),
        (Check("a", never_run), TypeError),  # not in a list
        ([never_run], TypeError),
        ({"Database": never_run}, ValueError),
        ({"database": None}, TypeError),
        ({"database": lambda connection: None}, TypeError),
        ([Check("a", never_run), Check("a", asynchronous)], ValueError),
        ([Health()], TypeError),
    ],
)
def test_checks_that_cannot_work_are_refused(checks: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        HealthMiddleware(echo_nothing, cast("Any", checks))


@pytest.mark.parametrize("checks", ["database", b"database"])
def test_the_error_for_a_string_as_checks_shows_all_of_it(checks: object) -> None:
    with pytest.raises(TypeError, match=f"^health: checks must be .*, not {checks!r}$"):
        HealthMiddleware(echo_nothing, cast("Any", checks))


def test_a_slow_loop_in_milliseconds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^slow_loop must be at most 300 s, not 1000 s; the unit is seconds"):
        HealthMiddleware(echo_nothing, slow_loop=1000)


def test_a_coroutine_instead_of_a_function_is_refused_and_closed() -> None:
    with pytest.raises(TypeError, match="database"):
        HealthMiddleware(echo_nothing, cast("Any", {"database": asynchronous()}))


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: None, []),
        (dict, []),
        (list, []),
        (lambda: {"b": never_run, "a": asynchronous}, ["b", "a"]),
        (lambda: [Check("b", never_run), Check("a", never_run)], ["b", "a"]),
        (lambda: (Check(name, never_run) for name in ("b", "a")), ["b", "a"]),
        (lambda: Health({"b": never_run}), ["b"]),
    ],
    ids=["none", "empty dict", "empty list", "dict", "list", "generator", "health"],
)
def test_checks_are_accepted_in_every_documented_form(make: Callable[[], Any], names: list[str]) -> None:
    app = HealthMiddleware(echo_nothing, make())
    assert [check.name for check in app.health.checks] == names


def test_a_health_as_checks_is_the_health_of_the_middleware() -> None:
    health = Health()
    assert HealthMiddleware(echo_nothing, health).health is health


def test_without_any_check_the_app_is_ready() -> None:
    app = HealthMiddleware(echo_nothing)
    for path in ("/livez", "/readyz", "/startupz", "/health"):
        assert get(app, path).body == b'{"status":"pass"}'


def test_two_middlewares_share_nothing() -> None:
    bad = HealthMiddleware(
        echo_nothing, health_with(Clock(), (make_check("database"), unhealthy("down"))), details=True
    )
    good = HealthMiddleware(echo_nothing, health_with(Clock(), (make_check("cache"), healthy())), details=True)
    assert [get(app).status for app in (bad, good, bad, good)] == [503, 200, 503, 200]
    assert list(get(bad, query=b"verbose").json["checks"]) == ["database"]
    assert list(get(good, query=b"verbose").json["checks"]) == ["cache"]
    good.health.drain()
    bad.health.remove("database")
    assert [get(app).status for app in (bad, good)] == [200, 503]


def test_two_middlewares_without_arguments_share_nothing() -> None:
    first, second = HealthMiddleware(echo_nothing), HealthMiddleware(echo_nothing)
    first.health.add(Check("database", never_run))
    assert second.health.checks == ()


def test_a_removed_check_and_a_drain_show_in_the_next_answer() -> None:
    app = HealthMiddleware(echo_nothing, health_with(Clock(), (make_check("database"), unhealthy("down"))))
    assert get(app).status == 503
    app.health.remove("database")
    assert get(app).status == 200
    app.health.drain()
    assert get(app).status == 503
