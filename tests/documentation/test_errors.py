"""docs/reference/errors.md has each error, result and answer of the source that fails, word by word, and no other."""

import re
from collections.abc import Callable

import pytest

from asgi_health import Board, Check, Drain, Health, Listener, Paths, client_in
from asgi_health.testing import health_of

from .blocks import DOCS
from .error_texts import VALUE, all_texts, error_texts

ROW = re.compile(r"^\| (`+)(.+?)\1 \| \S.* \|$", re.MULTILINE)
PLACEHOLDER = re.compile(r"('?<[^<>]*>'?)")
ROWS = [row for _, row in ROW.findall((DOCS / "reference/errors.md").read_text())]

# No caller of a public name and no user of the command gets these.
INTERNAL = {
    "asgi_health/board/codec.py",  # what another worker has written, which a reader ignores where it is damaged
    "asgi_health/formats/redact/scan.py",
    "asgi_health/listener/connection.py",  # answered with 4xx and 505
    "asgi_health/cli/demo/catalogue.py",  # the faults of the demo's own shop
    "asgi_health/cli/demo/dependencies.py",
    "asgi_health/cli/demo/faults.py",
}
NO_ERRORS = {
    f"module {VALUE} has no attribute {VALUE}",  # as of any module
    "A string is the dotted path of an object.",  # hints of Django's checks, next to their error
    f"Did you mean {VALUE}?",
    "alert test",  # the name of the command
}


def pattern(row: str) -> re.Pattern[str]:
    """Return what a row matches: any text, and none, in place of `<name>`. Quotes belong to what `!r` inserts."""
    parts = PLACEHOLDER.split(row)
    found = "".join(".*" if PLACEHOLDER.match(each) else re.escape(each) for each in parts)
    # The functions that look at the options of a check get the subject from their caller.
    return re.compile(found.replace(r"check\ .*:", rf"(?:check .*|{VALUE}):"), re.DOTALL)


PATTERNS = {row: pattern(row) for row in ROWS}


def test_each_error_in_the_source_has_a_row() -> None:
    texts = [each for each in error_texts() if each.file not in INTERNAL and each.text not in NO_ERRORS]
    assert len(texts) > 400
    missing = [each for each in texts if not any(known.fullmatch(each.text) for known in PATTERNS.values())]
    assert sorted(map(str, missing)) == []


def test_each_row_is_in_the_source() -> None:
    texts = all_texts()
    assert [row for row, known in PATTERNS.items() if not any(map(known.fullmatch, texts))] == []


def test_no_row_is_there_twice_or_so_general_that_it_matches_anything() -> None:
    assert sorted(ROWS) == sorted(set(ROWS))
    assert [row for row in ROWS if sum(map(str.isalpha, PLACEHOLDER.sub("", row))) < 8] == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: Check("Redis", print),
        lambda: Check("redis", None),  # type: ignore[arg-type]
        lambda: Check("redis", print, interval=5000.0),
        lambda: Check("redis", print, probes=("ready",)),  # type: ignore[arg-type]
        lambda: Check("redis", print, timeout=True),
        lambda: Health([Check("redis", print)] * 2),
        lambda: Drain(path="/drain"),
        lambda: Listener("localhost"),
        lambda: Paths(live="livez"),
        lambda: Board(""),
        lambda: client_in("10.0.0.1/8"),
        lambda: health_of(print),
    ],
)
def test_the_text_of_an_error_that_is_raised_matches_one_row(make: Callable[[], object]) -> None:
    with pytest.raises((ValueError, TypeError)) as raised:
        make()
    assert len([row for row, known in PATTERNS.items() if known.fullmatch(str(raised.value))]) == 1
