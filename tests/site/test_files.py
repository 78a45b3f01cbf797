"""The files of the built site: links, those for search engines and language models, the social card, the versions."""

import json
import re
import subprocess
from contextlib import nullcontext
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit
from xml.etree import ElementTree

import pytest
import yaml
from PIL import Image

from ..documentation.blocks import DOCS, PAGES
from .conftest import ROOT, run

pytestmark = pytest.mark.xdist_group("site")  # it is built once

HOME = "https://asgi-health.github.io/asgi-health/"
SOURCES = [page.relative_to(DOCS) for page in PAGES if page.is_relative_to(DOCS)]


class Document(HTMLParser):
    """The targets of a document's links, the files that it loads, its anchors and its properties."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.properties: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and found["rel"] in {"stylesheet", "icon", "preload", "preconnect"}:
            self.loaded.append(found["href"])
        elif "src" in found:
            self.loaded.append(found["src"])
        elif "property" in found:
            self.properties[found["property"]] = found.get("content", "")


@pytest.fixture(scope="module")
def documents(site: Path) -> dict[str, Document]:
    """Return the document of each path of the site."""
    return {
        file.relative_to(site).as_posix().removesuffix("index.html"): Document(file.read_text())
        for file in site.rglob("*.html")
    }


def target_of(link: str, page: str) -> tuple[str, str]:
    """Return the path below the home and the anchor that a link of a page leads to; an absolute address as it is."""
    address, anchor = urldefrag(urljoin(HOME + page, link))
    return address.removeprefix(HOME), anchor


def test_each_page_is_in_the_site_and_in_the_navigation(documents: dict[str, Document]) -> None:
    pages = {str(source.with_suffix("")).removesuffix("index").removesuffix("/") for source in SOURCES}
    linked = {target_of(link, "")[0].removesuffix("/") for link in documents[""].links}
    assert pages <= {page.removesuffix("/") for page in documents}
    assert pages <= linked


def test_each_link_leads_to_a_page_and_an_anchor_of_it(documents: dict[str, Document], site: Path) -> None:
    broken = []
    for page, document in documents.items():
        if page == "404.html":  # its links are absolute, below the address of the site
            continue
        for link in {*document.links, *document.loaded}:
            path, anchor = target_of(link, page)
            if urlsplit(path).scheme:
                continue
            exists = path in documents or (site / path).is_file()
            if not exists or (anchor and path in documents and anchor not in documents[path].anchors):
                broken.append(f"{page}: {link}")
    assert broken == []


def test_a_page_loads_nothing_from_another_host(documents: dict[str, Document]) -> None:
    loaded = {link for page, document in documents.items() for link in document.loaded if page != "404.html"}
    assert loaded
    assert [link for link in loaded if urlsplit(link).netloc] == []


def test_each_page_has_an_edit_link_to_its_source(documents: dict[str, Document]) -> None:
    edit = "https://github.com/asgi-health/asgi-health/edit/main/docs/"
    links = [link for document in documents.values() for link in document.links if link.startswith(edit)]
    assert sorted(links) == sorted(edit + source.as_posix() for source in SOURCES)


def test_each_page_has_a_social_card_with_its_title(documents: dict[str, Document], site: Path) -> None:
    with Image.open(site / "images" / "social-card.png") as card:
        assert card.size == (1200, 630)
    for page in documents.keys() - {"404.html"}:
        properties = documents[page].properties
        assert properties["og:image"] == f"{HOME}images/social-card.png"
        assert properties["og:url"] == HOME + page
        assert properties["og:title"] == "asgi-health" or properties["og:title"].endswith(" · asgi-health")


def test_the_sitemap_has_each_page(site: Path, documents: dict[str, Document]) -> None:
    entries = ElementTree.parse(site / "sitemap.xml").iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")
    assert {entry.text for entry in entries} == {HOME + page for page in documents.keys() - {"404.html"}}


def test_language_models_find_each_page_as_markdown(site: Path) -> None:
    index = (site / "llms.txt").read_text()
    linked = re.findall(rf"^- \[.+\]\({re.escape(HOME)}(\S+)\)$", index, re.MULTILINE)
    assert index.startswith("# asgi-health\n\n> The health layer of an ASGI application")
    assert len(linked) == len({*linked}) == len(SOURCES) - 1  # without the home page
    full = (site / "llms-full.txt").read_text()
    for path in linked:
        assert (site / path).read_text() in full


def test_the_files_of_the_theme_and_the_list_of_words_are_no_pages(site: Path) -> None:
    assert [path.name for path in site.iterdir() if path.name in {"theme", "words.txt", "main.html"}] == []


def test_a_release_gets_a_folder_of_its_own_and_becomes_the_latest(tmp_path: Path) -> None:
    """As CONTRIBUTING.md says, without the push, and with one page, which is quicker."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# One page\n")
    (tmp_path / "docs" / "theme").symlink_to(DOCS / "theme")
    (tmp_path / "mkdocs.yml").write_text((ROOT / "mkdocs.yml").read_text().partition("\nnav:")[0])
    git("init", "-q")
    git("config", "user.name", "test")
    git("config", "user.email", "test@example.org")
    git("commit", "-q", "--allow-empty", "-m", "the first")
    for version in ("0.1", "0.2"):
        run("mike", "deploy", "--update-aliases", version, "latest", folder=tmp_path)
    versions = json.loads(git("show", "gh-pages:versions.json"))
    assert [(each["version"], each["aliases"]) for each in versions] == [("0.2", ["latest"]), ("0.1", [])]
    for folder in ("0.1", "0.2", "latest"):
        page = git("show", f"gh-pages:{folder}/index.html")
        assert f'<link rel="canonical" href="{HOME}latest/">' in page
        assert f'content="{HOME}latest/images/social-card.png"' in page


@pytest.mark.parametrize(
    "fault",
    [
        "[x](gone.md)",
        "[x](#gone)",
        "[x](index.md#gone)",
        "![x](gone.png)",
        "[x](/index)",
        "::: asgi_health.Gone",
        "orphan",
    ],
)
def test_the_step_of_the_gate_fails_for_a_fault_of_a_page_and_for_nothing_else(fault: str, tmp_path: Path) -> None:
    (command,) = re.findall(
        r"^documentation\(\) \{ .*/(mkdocs .*); \}$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE
    )
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "theme").symlink_to(DOCS / "theme")
    (tmp_path / "asgi_health").symlink_to(ROOT / "asgi_health")
    settings = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[0]
    (tmp_path / "mkdocs.yml").write_text(f"{settings}\nnav: [index.md]\n")
    page = tmp_path / "docs" / "index.md"
    page.write_text(f"# A page\n\n{fault}\n")
    if fault == "orphan":
        page.with_name("orphan.md").write_text("# Not in the navigation\n")
    with nullcontext() if fault == "no fault" else pytest.raises(AssertionError):
        run(*command.split(), folder=tmp_path)


def test_the_addresses_of_the_site_are_those_of_the_project() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert settings["site_url"] == HOME
