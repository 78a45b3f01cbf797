"""Which spellings of a path are a health path, and which reach the app."""

import pytest

from asgi_health import HealthMiddleware, Paths, Probe, healthy, unhealthy

from ..support.asgi_caller import echo_nothing, get
from ..support.known_state import Clock, health_with, make_check


def middleware(paths: Paths = Paths(), *, details: bool = False) -> HealthMiddleware:  # noqa: B008
    """Return an app that is live but not ready, so that the two probes have different answers."""
    health = health_with(
        Clock(),
        (make_check("database"), unhealthy("down")),
        (make_check("loop", probes=(Probe.LIVENESS,)), healthy()),
    )
    return HealthMiddleware(echo_nothing, health, paths=paths, details=details)


HEALTH_PATHS = [
    ("/livez", ""),
    ("/livez/", ""),
    ("/health/live/", ""),
    ("/livez", "/"),
    ("/livez", "/api"),  # hypercorn, granian, daphne and httpx leave the root path out of the path
    ("/livez", "/api/"),
    ("/api/livez", "/api"),  # uvicorn and the mounts of Starlette add it to the path
    ("/api/livez/", "/api"),
    ("/api/livez", "/api/"),
    ("/api/v1/livez", "/api/v1"),
    ("/api/health/live", "/api"),
    ("/health/livez", "/health"),
    ("/ä/livez", "/ä"),
]
APP_PATHS = [
    ("/", ""),
    ("", ""),
    ("/api", "/api"),
    ("/api/", "/api"),
    ("/LIVEZ", ""),
    ("/livezz", ""),
    ("/live", ""),
    ("livez", ""),
    ("//livez", ""),
    ("/livez//", ""),
    ("/./livez", ""),
    ("/x/../livez", ""),
    ("/livez?verbose", ""),
    ("/livez;x", ""),
    ("/livez\x00", ""),
    (" /livez", ""),
    ("http://example.org/livez", ""),  # four servers pass the absolute form on unchanged
    ("/api/livez", ""),
    ("/apiX/livez", "/api"),  # the root ends at a slash
    ("/ap/livez", "/api"),
    ("/api//livez", "/api"),
    ("/api/api/livez", "/api"),
    ("/xapi/livez", "/api"),
    ("/API/livez", "/api"),
    ("/api/livez", "api"),
]


@pytest.mark.parametrize("details", [False, True])
@pytest.mark.parametrize(("path", "root"), HEALTH_PATHS)
def test_a_health_path_is_found_in_every_spelling(path: str, root: str, details: bool) -> None:
    reply = get(middleware(details=details), path, root_path=root)
    assert (reply.status, reply.body) == (200, b'{"status":"pass"}')


@pytest.mark.parametrize("details", [False, True])
@pytest.mark.parametrize(("path", "root"), APP_PATHS)
def test_a_path_that_only_resembles_a_health_path_reaches_the_app(path: str, root: str, details: bool) -> None:
    assert get(middleware(details=details), path, root_path=root).from_app


def test_each_probe_answers_on_its_own_paths() -> None:
    app = middleware()
    statuses = {path: get(app, path).status for paths in DEFAULTS.values() for path in paths}
    assert statuses == {
        "/livez": 200,
        "/health/live": 200,
        "/readyz": 503,
        "/health/ready": 503,
        "/startupz": 200,
        "/health/startup": 200,
        "/healthz": 503,
        "/health": 503,
    }


DEFAULTS = {
    Probe.LIVENESS: ("/health/live", "/livez"),
    Probe.READINESS: ("/health/ready", "/readyz"),
    Probe.STARTUP: ("/health/startup", "/startupz"),
    Probe.HEALTH: ("/health", "/healthz"),
}


def test_the_defaults_are_the_documented_paths() -> None:
    assert {probe: Paths().of(probe) for probe in DEFAULTS} == DEFAULTS


def test_other_paths_replace_the_defaults_of_that_probe_only() -> None:
    app = middleware(Paths(live="/alive", ready=("/up", "/ok/")))
    assert [get(app, path).status for path in ("/alive", "/alive/", "/up", "/ok", "/ok/")] == [200, 200, 503, 503, 503]
    assert all(get(app, path).from_app for path in ("/livez", "/health/live", "/readyz", "/health/ready"))
    assert get(app, "/startupz").status == 200


@pytest.mark.parametrize("option", ["health", "live", "ready", "startup"])
@pytest.mark.parametrize("details", [False, True])
def test_none_passes_the_requests_for_a_probe_to_the_app(option: str, details: bool) -> None:
    app = middleware(Paths(**{option: None}), details=details)
    probe = {"live": Probe.LIVENESS, "ready": Probe.READINESS, "startup": Probe.STARTUP, "health": Probe.HEALTH}[option]
    for each, paths in DEFAULTS.items():
        for path in paths:
            assert get(app, path).from_app is (each is probe)
            if each is probe and each is not Probe.HEALTH:
                assert get(app, f"{path}/database").from_app


def test_without_any_path_every_request_reaches_the_app() -> None:
    app = middleware(Paths(health=None, live=None, ready=None, startup=None), details=True)
    assert all(get(app, path).from_app for paths in DEFAULTS.values() for path in paths)


@pytest.mark.parametrize(
    ("paths", "error", "names"),
    [
        ({"live": "livez"}, ValueError, "live 'livez'"),
        ({"ready": ("/readyz", "ready")}, ValueError, "ready 'ready'"),
        ({"live": ""}, ValueError, "live ''"),
        ({"live": "/"}, ValueError, "live '/'"),
        ({"live": "//"}, ValueError, "live '//'"),
        ({"live": "/livez?verbose"}, ValueError, "without a query"),
        ({"live": "/livez#top"}, ValueError, "without a query"),
        ({"live": "/x", "ready": "/x"}, ValueError, "'/x' is given for both live and ready"),
        ({"live": "/x", "ready": "/x/"}, ValueError, "'/x' is given for both live and ready"),
        ({"live": "/readyz"}, ValueError, "'/readyz' is given for both live and ready"),
        ({"live": ("/x", "/x/")}, ValueError, "'/x' is given twice"),
        ({"live": 5}, TypeError, "live"),
        ({"live": b"/livez"}, TypeError, "live"),
        ({"live": {"/livez"}}, TypeError, "live"),
        ({"live": ("/livez", None)}, TypeError, "live"),
        ({"live": False}, TypeError, "live"),
    ],
)
def test_the_error_for_paths_that_cannot_work_names_them(
    paths: dict[str, str], error: type[Exception], names: str
) -> None:
    with pytest.raises(error, match="paths: ") as refused:
        Paths(**paths)
    assert names in str(refused.value)


def test_an_empty_tuple_means_none() -> None:
    assert Paths(live=()).of(Probe.LIVENESS) == Paths(live=None).of(Probe.LIVENESS) == ()
