"""The fenced blocks of the pages, and the comments above them.

``<!-- with: app, database -->`` names what a program takes from the reader's own code (see preambles.py); `async` means
that the program is the body of an async function. ``<!-- needs: datasette -->`` names modules that the tests lack.
``<!-- from: asgi_health/checks/smtp.py -->`` says that the block quotes that file, and
``<!-- file: settings.py -->`` that it is a part of that file in a project, which the test of its page makes.
``<!-- terminal: shop -->`` and ``<!-- repeat: until this is printed -->`` are about sessions, see terminals.py.

``<!-- tests: tests/documentation/test_logging.py -->`` below the title of a page names the files of tests that check
its configurations with the tool they are for, and compare what its commands print with what it shows.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]

TESTS = re.compile(r"^<!-- tests: (.*) -->$", re.MULTILINE)
FENCED = re.compile(r"^(?:<!-- (?P<comment>[^\n]*) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
ADDRESS = re.compile(r"\b(?:0\.0\.0\.0|127\.0\.0\.1):(?:9000|50051)\b")
SOCKET = "/run/app/health.sock"


@dataclass(frozen=True)
class Block:
    page: str
    """The path of its page below docs, or the name of a page next to it."""
    line: int
    language: str
    text: str
    names: tuple[str, ...]
    """The names that it takes from the reader's own code."""
    needs: tuple[str, ...]
    """The modules that the tests do not have."""
    quoted: str
    """The file that it quotes, if any."""
    file: str
    """The file of the reader's project that it is a part of, if any."""
    tests: tuple[str, ...]
    """The files of tests that its page names."""
    terminal: str
    """The terminal that it is shown in, if it is one of several."""
    repeat: bool
    """Whether its commands are repeated until they print what it shows."""
    is_signature: bool
    """Whether it is the signature of a check, below the heading with its name."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def moved(self, port: int, socket: Path) -> str:
        """Return the text with the port and the socket of a test."""
        return ADDRESS.sub(f"127.0.0.1:{port}", self.text).replace(SOCKET, str(socket))


def name_of(page: Path) -> str:
    """Return the path of a page below docs, or the name of one next to it."""
    return page.relative_to(DOCS if page.is_relative_to(DOCS) else ROOT).as_posix()


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    return blocks_in(page.read_text(), name_of(page))


def blocks_in(text: str, name: str) -> list[Block]:
    """Return the blocks of the text of a page, in order."""
    tests = tuple(", ".join(TESTS.findall(text)).split(", "))
    found = []
    for match in FENCED.finditer(text):
        said = dict(re.findall(r"(with|needs|from|file|terminal|repeat): ([^;]*?)\s*(?:;|$)", match["comment"] or ""))
        before = text[: match.start()].rstrip().rpartition("\n")[2]
        found.append(
            Block(
                name,
                text.count("\n", 0, match.start("text")) + 1,
                match["language"],
                match["text"],
                tuple(said.get("with", "").replace(",", " ").split()),
                tuple(said.get("needs", "").replace(",", " ").split()),
                said.get("from", ""),
                said.get("file", ""),
                tests if tests != ("",) else (),
                said.get("terminal", ""),
                "repeat" in said,
                re.fullmatch(r"### `[\w.]+`", before) is not None,
            )
        )
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def blocks(language: str, page: str = "README.md") -> list[str]:
    """Return the texts of the blocks of one language."""
    return [block.text for block in BLOCKS if (block.page, block.language) == (page, language)]
