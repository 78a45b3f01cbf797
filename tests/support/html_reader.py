"""Reads an HTML document: its elements and its texts, and whether each element is closed where it must be."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import NamedTuple

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
RAW = {"script", "style"}


class Element(NamedTuple):
    """An element of a document.

    Attributes:
        tag: Its name.
        attributes: Its attributes; the value of one without a value is empty.
        path: The names of the elements around it, outermost first.
    """

    tag: str
    attributes: dict[str, str]
    path: tuple[str, ...]


@dataclass
class Document:
    """What a document contains.

    Attributes:
        elements: Its elements, in their order.
        texts: Its texts with the ids of the elements around them, outermost first; without scripts and style sheets.
        raw: The contents of scripts and style sheets, by the name of the element.
    """

    elements: list[Element] = field(default_factory=list[Element])
    texts: list[tuple[tuple[str, ...], str]] = field(default_factory=list[tuple[tuple[str, ...], str]])
    raw: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in RAW})

    def text(self, of: str = "") -> str:
        """Return the text of the element with the id `of`, with single spaces; empty for the whole document."""
        return " ".join("".join(text for ids, text in self.texts if not of or of in ids).split())

    def with_id(self, start: str) -> list[str]:
        """Return the ids that begin with `start`, in their order."""
        ids = (each.attributes.get("id", "") for each in self.elements)
        return [each for each in ids if each.startswith(start)]

    def all(self, tag: str) -> list[Element]:
        """Return the elements of one name."""
        return [each for each in self.elements if each.tag == tag]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.document = Document()
        self._open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        assert len(attributes) == len(attrs), (tag, attrs)
        path = tuple(name for name, _ in self._open)
        self.document.elements.append(Element(tag, attributes, path))
        if tag not in VOID:
            self._open.append((tag, attributes.get("id", "")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.document.elements.append(Element(tag, attributes, tuple(name for name, _ in self._open)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1][0] == tag, f"</{tag}> closes {self._open[-1][0]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] in RAW:
            self.document.raw[self._open[-1][0]].append(data)
        else:
            self.document.texts.append((tuple(each for _, each in self._open if each), data))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")

    def close(self) -> None:
        super().close()
        assert self._open == [], f"not closed: {self._open}"


def read_html(body: bytes | str) -> Document:
    """Return what a document or a fragment contains. Fails where it is not well-formed, or contains an id twice."""
    reader = _Reader()
    reader.feed(body if isinstance(body, str) else body.decode())
    reader.close()
    ids = reader.document.with_id("")
    ids = [each for each in ids if each]
    assert len(ids) == len(set(ids)), sorted(each for each in ids if ids.count(each) > 1)
    return reader.document
