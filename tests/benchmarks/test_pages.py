"""The pages show the tables that the benchmarks have written."""

from pathlib import Path

import pytest

from benchmarks.pages import ANSWER, END, RESULTS, ROLLING, WAITS, insert, marker, shown
from benchmarks.rolling.servers import SERVERS


@pytest.mark.parametrize("name", [ANSWER, WAITS, ROLLING])
def test_one_page_shows_the_table_of_the_latest_run(name: str) -> None:
    assert shown(name) == [(RESULTS / name).read_text()]


def test_the_published_rolling_restarts_lost_no_request_with_a_drain_on_any_server() -> None:
    _, _, *lines = (RESULTS / ROLLING).read_text().splitlines()
    rows = {name.strip(): lost.strip() for _, name, _, lost, *_ in (line.split("|") for line in lines)}
    assert rows.keys() >= {server.name for server in SERVERS}
    assert set(rows.values()) == {"0"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("nothing\n")
    return tmp_path


def test_a_table_replaces_the_one_of_its_page_and_of_the_results(root: Path) -> None:
    page = root / "docs" / "rolling-restarts.md"
    page.write_text(f"above\n{marker(ROLLING)}old\n{END}\nbelow\n")
    insert(ROLLING, "new\n", root=root)
    assert page.read_text() == f"above\n{marker(ROLLING)}new\n{END}\nbelow\n"
    assert (root / "benchmarks" / "results" / ROLLING).read_text() == "new\n"
    assert (root / "README.md").read_text() == "nothing\n"


@pytest.mark.parametrize(("text", "problem"), [("nothing\n", "has the line"), (marker(ROLLING), "no line")])
def test_without_a_place_for_the_table_nothing_is_written(root: Path, text: str, problem: str) -> None:
    page = root / "README.md"
    page.write_text(text)
    with pytest.raises(ValueError, match=problem):
        insert(ROLLING, "new\n", root=root)
    assert page.read_text() == text
    assert not (root / "benchmarks" / "results" / ROLLING).exists()
