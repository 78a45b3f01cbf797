"""ServiceInfo: fields that no answer could carry are refused when it is made."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from asgi_health import ServiceInfo

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
