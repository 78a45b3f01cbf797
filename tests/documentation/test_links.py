"""The links of the pages lead somewhere; those of README.md do so on the package index too, which has no other file."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from .blocks import DOCS, FENCED, PAGES, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HOME = PROJECT["urls"]["Homepage"]
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["site_url"]
LINK = re.compile(r"""\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)|(?:src|srcset|href)=["']([^"']+)["']""", re.MULTILINE)
OURS = re.compile(rf"{re.escape(HOME)}/(?:blob|raw|tree)/main/([^#?]+)(?:\?raw=true)?(?:#(.*))?")
RAW = re.compile(r"https://raw\.githubusercontent\.com/asgi-health/asgi-health/main/([^#?]+)()")
OF_THE_SITE = re.compile(rf"{re.escape(SITE)}latest/([^#?]*?)/?(?:#(.*))?")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def links_of(text: str) -> list[str]:
    """Return the targets of all links and images of a page, those of HTML tags among them."""
    return [next(filter(None, match.groups())) for match in LINK.finditer(FENCED.sub("", text))]


def anchors_of(text: str) -> set[str]:
    """Return the anchors that GitHub makes of the headings of a page."""
    plain = (
        re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in HEADING.findall(FENCED.sub("", text))
    )
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain}


def dead(link: str, page: Path) -> bool:
    """Return whether a link into this repository leads nowhere. Other hosts are not asked."""
    ours = OURS.fullmatch(link) or RAW.fullmatch(link)
    if of_the_site := OF_THE_SITE.fullmatch(link):
        name, anchor = of_the_site.groups()
        target = DOCS / name / "index.md" if (DOCS / name).is_dir() else DOCS / f"{name}.md"
    elif link.startswith(SITE):
        return True  # without the version
    elif ours:
        target, anchor = ROOT / ours[1], ours[2]
    elif re.match(r"[a-z]+:", link):
        return False
    else:
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
    return not target.exists() or (bool(anchor) and anchor not in anchors_of(target.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_into_the_repository_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert [link for link in links_of(page.read_text()) if dead(link, page)] == []


def test_a_dead_link_is_found() -> None:
    gone = f"{HOME}/raw/main/gone.svg"
    page = ROOT / "docs" / "explanation/architecture.md"
    text = (
        "[a](#a-probe) [b](#gone) [c](../reference/servers.md#uvicorn) [d](../reference/servers.md#gone) ![e](gone.svg)"
    )
    text += f" [h]({SITE}latest/reference/servers/#uvicorn) [i]({SITE}latest/gone/) [j]({SITE}how-to/)"
    text += f' [f]({HOME}/blob/main/LICENSE) <img src="{gone}"> [g](https://gone.example/)'
    found = [link for link in links_of(text) if dead(link, page)]
    assert found == ["#gone", "../reference/servers.md#gone", "gone.svg", f"{SITE}latest/gone/", f"{SITE}how-to/", gone]


def test_each_link_of_the_long_description_works_on_the_package_index() -> None:
    assert PROJECT["readme"] == "README.md"  # as it stands: no plugin rewrites it
    links = links_of((ROOT / PROJECT["readme"]).read_text())
    assert links
    assert [link for link in links if not re.match(r"https://|#", link)] == []


def test_each_url_of_the_project_is_of_its_home_or_its_site() -> None:
    assert [url for url in PROJECT["urls"].values() if not url.startswith((HOME, SITE))] == []
    assert [url for url in PROJECT["urls"].values() if dead(url, ROOT / "README.md")] == []
