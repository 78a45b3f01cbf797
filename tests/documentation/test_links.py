"""Every link of the documentation leads to a file that exists, and to a heading in it.

README.md is shown by the package index too, which knows no other file: its links name the repository.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from .blocks import PAGES, ROOT

TEXTS = sorted({*PAGES, *ROOT.glob("*.md"), ROOT / "benchmarks" / "README.md"})
REPOSITORY = re.compile(
    r"https://(?:github\.com/asgi-health/asgi-health/(?:blob|tree)|raw\.githubusercontent\.com/asgi-health/asgi-health)/main/"
)

FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
INLINE = re.compile(r'\]\(\s*([^)\s]+)\s*\)|\b(?:src|srcset|href)="([^"]*)"')
DEFINED = re.compile(r"^\[([^\]]+)\]: (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Link:
    page: Path
    target: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {self.target}"

    @property
    def inside(self) -> bool:
        """Whether it leads to a file of the repository."""
        return bool(REPOSITORY.match(self.target)) or ":" not in self.target

    @property
    def file(self) -> Path:
        path, _, _ = self.target.partition("#")
        if absolute := REPOSITORY.match(path):
            return ROOT / path[absolute.end() :]
        return (self.page.parent / path).resolve() if path else self.page


def links(page: Path) -> list[Link]:
    text = CODE.sub("``", FENCED.sub("", page.read_text()))
    targets = [one or other for one, other in INLINE.findall(text)] + [target for _, target in DEFINED.findall(text)]
    return [Link(page, target) for target in targets]


LINKS = [link for page in TEXTS for link in links(page)]


@cache
def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text()), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        before = sum(re.fullmatch(rf"{re.escape(words)}(?:-\d+)?", each) is not None for each in found)
        found.append(f"{words}-{before}" if before else words)
    return set(found)


@pytest.mark.parametrize("link", [link for link in LINKS if link.inside], ids=str)
def test_a_link_leads_to_a_file_and_to_a_heading_in_it(link: Link) -> None:
    assert link.file.exists()
    _, sharp, anchor = link.target.partition("#")
    assert not sharp or anchor in anchors(link.file)


@pytest.mark.parametrize("link", [link for link in LINKS if link.page == ROOT / "README.md"], ids=str)
def test_a_link_of_the_readme_works_on_the_package_index_too(link: Link) -> None:
    assert link.target.startswith("https://")


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_each_reference_of_a_page_is_defined_and_each_definition_is_used(page: Path) -> None:
    text = CODE.sub("``", FENCED.sub("", page.read_text()))
    defined = {label for label, _ in DEFINED.findall(text)}
    # [text][label], and [label] alone where it is no part of [text](target)
    used = re.findall(r"\[([^\[\]]+)\](?![\[(])", DEFINED.sub("", text)) if defined else []
    assert {" ".join(label.lower().split()) for label in used} == defined


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_the_index_of_the_documentation_leads_to_each_page(page: Path) -> None:
    index = ROOT / "docs" / "index.md"
    assert page in {index, *(link.file for link in links(index))}
