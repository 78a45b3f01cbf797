"""ServiceInfo: fields that no answer could carry are refused when it is made."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from importlib.metadata import version
from typing import Any

import pytest

from asgi_health import ServiceInfo
from asgi_health.formats.release_facts import BUILD_TIMES, COMMITS, RELEASES, VERSIONS

from ..support.core_cases import refused

MAKE: Callable[..., ServiceInfo] = ServiceInfo
TEXTS = ("version", "release", "description")


@pytest.mark.parametrize("option", TEXTS)
@pytest.mark.parametrize("value", [None, 1, 1.5, b"1", ["1"]])
def test_a_field_that_is_not_a_string_is_refused(option: str, value: object) -> None:
    with refused(TypeError, f"service: {option} ", repr(value), "str"):
        MAKE("shop", **{option: value})


@pytest.mark.parametrize("value", [None, 1, b"shop"])
def test_a_name_that_is_not_a_string_is_refused(value: object) -> None:
    with refused(TypeError, "service: name ", repr(value), "str"):
        MAKE(value)


def test_a_name_is_required() -> None:
    with refused(ValueError, "service: name ", "empty"):
        MAKE("")
    with pytest.raises(TypeError):
        MAKE()


@pytest.mark.parametrize("option", TEXTS)
def test_a_string_that_utf8_cannot_carry_is_refused(option: str) -> None:
    with refused(ValueError, f"service: {option} ", r"\ud800", "UTF-8"):
        MAKE("shop", **{option: "lone \ud800"})


@pytest.mark.parametrize(
    ("links", "subject", "found"),
    [
        ({"about": 1}, "service: links['about'] ", "1"),
        ({"about": None}, "service: links['about'] ", "None"),
        ({1: "https://shop.example"}, "service: ", "1"),
    ],
)
def test_links_hold_strings(links: object, subject: str, found: str) -> None:
    with refused(TypeError, subject, found, "str"):
        MAKE("shop", links=links)


@pytest.mark.parametrize("links", ["https://shop.example", 5, None, [1]])
def test_links_must_be_a_mapping(links: object) -> None:
    with refused(TypeError, "service: links ", repr(links)):
        MAKE("shop", links=links)


@pytest.mark.parametrize("notes", ["a note", None, 5, {"a": 1}])
def test_notes_must_be_a_tuple(notes: object) -> None:
    with refused(TypeError, "service: notes ", repr(notes), "tuple"):
        MAKE("shop", notes=notes)


def test_notes_hold_strings() -> None:
    with refused(TypeError, "service: a note ", "1", "str"):
        MAKE("shop", notes=("fine", 1))


def test_links_are_copied_and_cannot_be_changed() -> None:
    links = {"about": "https://shop.example"}
    service: Any = ServiceInfo("shop", links=links)
    links["about"] = "https://elsewhere.example"
    assert dict(service.links) == {"about": "https://shop.example"}
    with pytest.raises(TypeError):
        service.links["about"] = ""
    with pytest.raises(FrozenInstanceError):
        service.name = "elsewhere"


def test_a_service_can_be_hashed_and_compared() -> None:
    assert {ServiceInfo("shop", links={"a": "b"}), ServiceInfo("shop", links={"a": "b"})} == {
        ServiceInfo("shop", links={"a": "b"})
    }


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets the variables of the test, and no other that says anything about a release."""
    for name in (*VERSIONS, *RELEASES, *COMMITS, *BUILD_TIMES, "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(name, raising=False)

    def set_variables(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_variables


COMMIT = "0123456789abcdef0123456789abcdef01234567"

PLATFORMS: dict[str, tuple[dict[str, str], ServiceInfo]] = {
    "nothing": ({}, ServiceInfo("anyio", version("anyio"))),
    "Heroku": (
        {
            "HEROKU_RELEASE_VERSION": "v42",
            "HEROKU_BUILD_COMMIT": COMMIT,
            "HEROKU_RELEASE_CREATED_AT": "2026-04-02T18:00:42Z",
        },
        ServiceInfo("anyio", version("anyio"), "v42", notes=(f"commit {COMMIT}", "built 2026-04-02T18:00:42Z")),
    ),
    "Fly": (
        {"FLY_IMAGE_REF": "registry.fly.io/shop:deployment-01HX"},
        ServiceInfo("anyio", version("anyio"), "deployment-01HX"),
    ),
    "an image by its digest": (
        {"FLY_IMAGE_REF": "registry.fly.io/shop@sha256:0123"},
        ServiceInfo("anyio", version("anyio"), "registry.fly.io/shop@sha256:0123"),
    ),
    "Cloud Run": ({"K_REVISION": "shop-00042-xyz"}, ServiceInfo("anyio", version("anyio"), "shop-00042-xyz")),
    "Render": ({"RENDER_GIT_COMMIT": COMMIT}, ServiceInfo("anyio", version("anyio"), COMMIT)),
    "an image built in GitLab CI": (
        {"CI_COMMIT_TAG": "1.4.0", "CI_COMMIT_SHA": COMMIT, "CI_JOB_STARTED_AT": "2026-04-02T20:00:42+02:00"},
        ServiceInfo("anyio", version("anyio"), "1.4.0", notes=(f"commit {COMMIT}", "built 2026-04-02T18:00:42Z")),
    ),
    "a reproducible build": (
        {"SOURCE_DATE_EPOCH": "1775152842"},
        ServiceInfo("anyio", version("anyio"), notes=("built 2026-04-02T18:00:42Z",)),
    ),
    "what a person chose comes first": (
        {"SENTRY_RELEASE": "shop@7", "K_REVISION": "shop-00042-xyz"},
        ServiceInfo("anyio", version("anyio"), "shop@7"),
    ),
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_detect_reads_what_a_platform_sets(platform: str, environment: Callable[..., None]) -> None:
    variables, expected = PLATFORMS[platform]
    environment(**variables)
    assert ServiceInfo.detect("anyio") == expected


def test_without_a_distribution_the_label_of_the_manifest_is_the_version(
    environment: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    environment(OTEL_RESOURCE_ATTRIBUTES="service.name=shop, service.version=1.4.0")
    assert ServiceInfo.detect("no-such-distribution", name="shop") == ServiceInfo("shop", "1.4.0")
    environment(OTEL_RESOURCE_ATTRIBUTES="")
    assert not caplog.records
    assert ServiceInfo.detect("no-such-distribution") == ServiceInfo("no-such-distribution")
    assert "service: no distribution 'no-such-distribution' is installed" in caplog.text


@pytest.mark.parametrize(
    "value", ["", "  ", "x" * 201, "a\nb", "\x1b[31m", "a\udc80", "$RELEASE", "${RELEASE}", "\u2028", "\u202e1.0"]
)
def test_an_odd_value_is_passed_over_for_the_next_variable(value: str, environment: Callable[..., None]) -> None:
    odd = dict.fromkeys((*RELEASES[:-1], *COMMITS[:-1], *BUILD_TIMES[:-1], "OTEL_RESOURCE_ATTRIBUTES"), value)
    environment(**odd, **{RELEASES[-1]: "7", COMMITS[-1]: COMMIT, BUILD_TIMES[-1]: "0"})
    found = ServiceInfo.detect("anyio")
    assert (found.release, found.notes) == ("7", (f"commit {COMMIT}", "built 1970-01-01T00:00:00Z"))


@pytest.mark.parametrize("value", ["yesterday", "9" * 30, "-1", "2026-13-01", "0001-01-01T00:00:00+23:59"])
def test_a_time_that_is_none_is_left_out(value: str, environment: Callable[..., None]) -> None:
    environment(BUILD_TIME=value)
    assert ServiceInfo.detect("anyio").notes == ()
