"""What help() shows of the public names: the result first, every argument, every field."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import pytest

import asgi_health
import asgi_health.testing

PUBLIC: dict[str, Any] = {name: getattr(asgi_health, name) for name in asgi_health.__all__} | {
    f"testing.{name}": getattr(asgi_health.testing, name) for name in asgi_health.testing.__all__
}


def methods() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the public functions, and the public methods of the public classes."""
    for name, value in PUBLIC.items():
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value) and not issubclass(value, Enum):
            for method, function in vars(value).items():
                if inspect.isfunction(function) and not method.startswith("_"):
                    yield f"{name}.{method}", function


def section(documentation: str, title: str) -> set[str]:
    """Return the names that a section of a docstring explains."""
    _, _, behind = documentation.partition(f"\n{title}:\n")
    return set(re.findall(r"^    (\w+): \S", behind.partition("\n\n")[0], re.M))


@pytest.mark.parametrize("name", [name for name, value in PUBLIC.items() if is_dataclass(value)])
def test_every_field_of_a_public_dataclass_is_explained(name: str) -> None:
    names = {each.name for each in fields(PUBLIC[name]) if each.name != "_"}
    assert section(inspect.getdoc(PUBLIC[name]) or "", "Attributes") == names


@pytest.mark.parametrize("name", ["Probe", "Status"])
def test_every_member_of_a_public_enumeration_is_explained(name: str) -> None:
    assert section(inspect.getdoc(PUBLIC[name]) or "", "Attributes") == set(PUBLIC[name].__members__)


@pytest.mark.parametrize("name", ["Health", "HealthMiddleware"])
def test_every_argument_of_a_public_class_is_explained(name: str) -> None:
    names = set(inspect.signature(PUBLIC[name]).parameters)
    assert section(inspect.getdoc(PUBLIC[name]) or "", "Args") == names


@pytest.mark.parametrize(("name", "function"), list(methods()), ids=lambda each: each if isinstance(each, str) else "")
def test_every_argument_of_a_public_function_is_named(name: str, function: Callable[..., Any]) -> None:
    documentation = inspect.getdoc(function) or ""
    assert re.match(r"[A-Z]\w+ .*\.", documentation), "the first line is a sentence"
    explained = section(documentation, "Args") | set(re.findall(r"`(\w+)`", documentation))
    parameters = inspect.signature(function).parameters.values()
    assert {each.name for each in parameters if each.kind is not each.VAR_KEYWORD} - explained <= {"self"}
