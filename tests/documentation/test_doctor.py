"""docs/reference/doctor.md has each rule with its severity, in a table and in a section under its id, and no other."""

import ast
import re

import pytest

from asgi_health.cli.doctor.finding import Row
from asgi_health.cli.doctor.rules import APP_RULES
from asgi_health.cli.doctor.rules.url import URL_RULES
from asgi_health.cli.documentation import DOCUMENTATION

from .blocks import DOCS, ROOT

PAGE = (DOCS / "reference/doctor.md").read_text()
RULES = [*((each.id, each.severity) for each in APP_RULES), *((each.id, each.severity) for each in URL_RULES)]
SITE = re.compile(re.escape(DOCUMENTATION) + r"/([\w/-]+)/")


@pytest.mark.parametrize(
    "form", [r"^### ([\w-]+)\n\n(Error|Warning)\. ", r"^\| \[`([\w-]+)`\]\(#\1\) \| (error|warning) \|"]
)
def test_each_rule_is_there_with_its_severity(form: str) -> None:
    assert len(dict(RULES)) == len(RULES)
    found = re.findall(form, PAGE, re.MULTILINE)
    assert sorted((rule, severity.lower()) for rule, severity in found) == sorted(RULES)


def test_the_table_has_the_rules_in_the_order_of_the_sections() -> None:
    assert re.findall(r"^\| \[`([\w-]+)`\]", PAGE, re.MULTILINE) == re.findall(r"^### ([\w-]+)$", PAGE, re.MULTILINE)


def test_a_finding_links_to_the_site_that_mkdocs_builds() -> None:
    (site,) = re.findall(r"^site_url: (\S+)/$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert f"{site}/latest" == DOCUMENTATION
    row = Row("open-drain", "error", "what", "why", "cure")
    assert row.page == f"{DOCUMENTATION}/reference/doctor/#open-drain"


def strings_of(source: str) -> list[str]:
    """Return the strings of a module that it may print: all but those that are statements, such as docstrings."""
    tree = ast.parse(source)
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents
    ]


def test_what_is_printed_names_pages_of_the_site_and_no_file_of_a_folder_that_is_not_installed() -> None:
    sources = [each.read_text() for each in (ROOT / "asgi_health").rglob("*.py") if each.name != "document.py"]
    assert [text for source in sources for text in strings_of(source) if re.search(r"\bdocs/\w", text)] == []
    pages = [name for source in sources for name in re.findall(r"\bpage\(['\"]([\w/-]+)['\"]\)", source)]
    assert len(pages) > 3
    assert [name for name in pages if not (DOCS / f"{name}.md").is_file()] == []
