"""The extras in pyproject.toml: each one that is named exists, installs its drivers, and states its lowest version."""

import re
import tomllib
from collections.abc import Mapping
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from asgi_health.checks._support.catalogue import entries

from .rows import ROWS, Row

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
NOT_IN_ALL = {"arq"}
"""It cannot be installed with the redis that the newest Celery needs."""
FRAMEWORKS = {"fastapi", "litestar"}  # the app has its own already
FOR_DEVELOPERS = {"bench", "docs", "test"}
CODE = sorted((ROOT / "asgi_health").rglob("*.py"))
TEXTS = [*CODE, ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def requirements(extra: str) -> list[Requirement]:
    """What the extra installs, with what the extras that it names install."""
    found: list[Requirement] = []
    for requirement in map(Requirement, EXTRAS[extra]):
        if requirement.name == PROJECT["name"]:
            found += [each for other in requirement.extras for each in requirements(other)]
        else:
            found.append(requirement)
    return found


def distributions(requirement: Requirement) -> set[str]:
    """The distribution that it names, and those that its extras install."""
    found: set[str] = {canonicalize_name(requirement.name)}
    for other in map(Requirement, requires(requirement.name) or ()):
        if other.marker and any(other.marker.evaluate({"extra": extra}) for extra in requirement.extras):
            found.add(canonicalize_name(other.name))
    return found


def named(extra: str) -> set[str]:
    """The extras that this one names, with those that these name."""
    direct = {
        other for each in map(Requirement, EXTRAS[extra]) if each.name == PROJECT["name"] for other in each.extras
    }
    return direct.union(*map(named, direct))


def extras_of_checks() -> set[str]:
    return {entry.extra for entry in entries()} - {""}


def extras_in_code() -> set[str]:
    """The extras of the checks, and those that the code names where it loads a driver."""
    return {extra for path in CODE for extra in re.findall(r'\bextra="([^"]+)"', path.read_text())}


@pytest.fixture(scope="module")
def of_module() -> Mapping[str, list[str]]:
    """The distributions that install a module."""
    return packages_distributions()


def test_each_extra_of_a_check_exists() -> None:
    assert extras_of_checks()
    assert extras_of_checks() <= extras_in_code() <= set(EXTRAS)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_extra_that_a_text_names_exists(path: Path) -> None:
    groups = re.findall(r"asgi-health\[([a-z, ]+)\]", path.read_text())
    assert {extra.strip() for group in groups for extra in group.split(",")} <= set(EXTRAS)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_extra_of_a_check_installs_its_drivers(row: Row, of_module: Mapping[str, list[str]]) -> None:
    installed = {name for requirement in requirements(row.extra) for name in distributions(requirement)}
    for driver in row.drivers:
        assert installed & {canonicalize_name(name) for name in of_module[driver]}, driver


def test_the_extra_checks_is_each_extra_of_a_check() -> None:
    assert named("checks") == extras_of_checks() - NOT_IN_ALL


def test_all_is_each_extra_of_users_but_those_that_conflict_with_others() -> None:
    assert named("all") == set(EXTRAS) - {"all"} - NOT_IN_ALL - FOR_DEVELOPERS - FRAMEWORKS


def test_all_installs_a_redis_that_celery_supports() -> None:
    assert any(each.name == "celery" and "redis" in each.extras for each in requirements("all"))


def test_the_table_of_extras_says_what_all_leaves_out() -> None:
    lines = (ROOT / "docs" / "reference/settings.md").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("| `all` |"))
    assert all(f"`[{extra}]`" in line for extra in NOT_IN_ALL)


def test_the_tests_install_each_driver_of_a_check() -> None:
    assert extras_of_checks() <= named("test")


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_each_requirement_has_a_lowest_version(extra: str) -> None:
    declared = EXTRAS[extra] if extra else PROJECT["dependencies"]
    for requirement in map(Requirement, declared):
        if requirement.name != PROJECT["name"]:
            assert {each.operator for each in requirement.specifier} & {">=", "=="}, str(requirement)


def test_the_extras_of_celery_and_redis_allow_celery_5_5_with_its_older_redis() -> None:
    """kombu 5.5, of Celery 5.5, holds redis at 5.2.1 or below."""
    assert all(each.specifier.contains("5.5.3") for each in requirements("celery"))
    assert all(each.specifier.contains("5.2.1") for each in requirements("redis"))
