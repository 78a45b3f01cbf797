import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import __main__ as cli
from benchmarks import load, machine, plots, report, tables
from benchmarks.bounds import BOUNDS, Bound, broken
from benchmarks.figures import Figure, Results
from benchmarks.pages import ANSWER, END, WAITS, marker
from benchmarks.plan import Plan, Progress
from benchmarks.stats import Spread, spread

MEASUREMENTS = list(cli.MEASUREMENTS)
PEER = "probirka"
FIGURES = (
    ("answer", "GET ready"),
    ("processor, uvicorn", "16 kept"),
    ("served, uvicorn", "16 kept"),
    ("tail", "dependency hangs"),
)


def _results(values: dict[Bound, float]) -> Results:
    """Return results with the value of each bound. Two bounds may share a figure: one its value, one its ratio."""
    measured: dict[tuple[str, str, str], dict[bool, Spread]] = {}
    for bound, value in values.items():
        measured.setdefault((bound.measure, bound.case, bound.contender), {})[bound.ratio] = spread([value])
    return Results(
        [Figure(*key, "unit", by.get(False, spread([0.0])), by.get(True), "limit") for key, by in measured.items()]
    )


def _aim(bound: Bound) -> float:
    """Return its target, or its limit where it has no target."""
    aim = bound.limit if bound.target is None else bound.target
    assert aim is not None
    return aim


def _all_kept() -> Results:
    """Return results that reach every target and keep every limit."""
    results = _results({bound: _aim(bound) for bound in BOUNDS})
    for contender in ("limit", "fastapi-awaits", PEER):
        for measure, case in FIGURES:
            results.add(Figure(measure, case, contender, "unit", spread([2000.0]), spread([1.0, 2.0, 3.0]), "limit"))
    for place, case in enumerate(("p50", "p90", "p99", "p99.9")):
        results.add(Figure("latency, uvicorn, 16 new", case, PEER, "µs", spread([10.0**place])))
    for size in (100, 1000):
        results.add(Figure("watching", f"{size:,} checks at 10 s", PEER, "% of a core", spread([0.001 * size])))
    return results


def test_results_that_reach_every_target_break_no_bound() -> None:
    assert broken(_all_kept(), MEASUREMENTS) == []


@pytest.mark.parametrize(
    "bound", [bound for bound in BOUNDS if bound.limit is not None], ids=lambda bound: bound.promise
)
def test_a_value_beyond_its_limit_breaks_exactly_its_bound(bound: Bound) -> None:
    assert bound.limit is not None
    beyond = bound.limit * 2 + 1
    results = _results({each: beyond if each is bound else _aim(each) for each in BOUNDS})
    (objection,) = broken(results, MEASUREMENTS)
    assert objection.startswith(f"{bound.promise}: ")


def test_a_bound_that_was_not_measured_is_broken() -> None:
    assert any("an answer" in each and "not measured" in each for each in broken(Results(), ["anatomy"]))


def test_a_measurement_that_was_not_asked_for_breaks_no_bound() -> None:
    assert broken(Results(), []) == []


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.promise)
def test_the_limit_of_a_bound_is_never_stricter_than_its_target(bound: Bound) -> None:
    assert bound.limit is None or bound.target is None or bound.keeps(bound.target, bound.limit)


def test_the_report_judges_the_bounds_with_a_target_and_no_others() -> None:
    text = tables.targets(_results({bound: 2 * _aim(bound) + 1 for bound in BOUNDS}))
    rows = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.endswith("| missed |")]
    assert rows == [bound.promise for bound in BOUNDS if bound.target is not None]


def test_throughput_is_shown_and_not_judged() -> None:
    assert not [bound for bound in BOUNDS if bound.measure.startswith("served")]


def test_the_document_opens_with_its_caveats() -> None:
    text = tables.document(machine.describe(["python", "-m", "benchmarks"]), _all_kept())
    assert text.index(tables.CAVEATS[0]) < text.index("|")


def test_results_carry_versions_machine_date_and_command() -> None:
    described = machine.describe(["python", "-m", "benchmarks"])
    assert described["command"] == "python -m benchmarks"
    assert described["versions"]["anyio"]
    assert {"date", "processor", "cores", "python", "system", "wrk", "commit"} <= described.keys()


def test_every_number_of_a_table_has_its_spread() -> None:
    figure = Figure(
        "answer", "GET ready", "limit", "ns", Spread(100.0, 90.0, 110.0, 5), Spread(2.0, 1.9, 2.1, 5), "limit"
    )
    assert "100 · ×2.00 (1.90–2.10)" in tables.section("answer", [figure])


def test_what_could_not_be_measured_is_in_the_document() -> None:
    results = _all_kept()
    results.skip("light-health: not installed")
    results.skip("light-health: not installed")
    assert tables.document(machine.describe([]), results).count("light-health: not installed") == 1


def test_everything_is_written_and_the_json_holds_every_figure(tmp_path: Path) -> None:
    results = _all_kept()
    report.write(tmp_path, machine.describe([]), results)
    assert len(json.loads((tmp_path / "results.json").read_text())["figures"]) == len(results.figures)
    plots = list(tmp_path.glob("*.svg"))
    assert {plot.name for plot in plots} == {"README.svg", "answer.svg", "latency.svg", "watching.svg"}
    for plot in plots:
        ElementTree.fromstring(plot.read_text())
    assert PEER in (tmp_path / ANSWER).read_text()
    assert f"| {PEER} | success_ttl and failed_ttl | – | 2.0 s |" in (tmp_path / WAITS).read_text()


def _contrast(colour: str, page: str) -> float:
    """Return the contrast of WCAG 2."""

    def luminance(text: str) -> float:
        parts = [int(text[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(colour), luminance(page)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("page", ["#ffffff", "#0d1117"], ids=["light", "dark"])
@pytest.mark.parametrize("colour", sorted({*plots.COLOURS.values(), plots.TEXT}))
def test_every_colour_of_a_plot_stands_out_from_a_light_and_a_dark_page(colour: str, page: str) -> None:
    assert _contrast(colour, page) >= 3.0  # what WCAG asks of graphics


def test_a_number_shows_three_figures() -> None:
    assert [tables.number(value) for value in (0, 0.01234, 0.5, 12.345, 1234.5)] == [
        "0",
        "0.0123",
        "0.50",
        "12.3",
        "1,234",
    ]


@pytest.mark.parametrize(("worsen", "code"), [(1.0, 0), (100.0, 1)])
def test_check_exits_with_1_when_a_bound_is_broken(
    worsen: float, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = _results({bound: _aim(bound) * worsen for bound in BOUNDS if bound.measurement == "in-process"})
    monkeypatch.setattr(cli, "MEASUREMENTS", {"in-process": (lambda plan, progress: results, "")})
    assert cli.main(["--only", "in-process", "--quick", "--check", "--out", str(tmp_path)]) == code


def test_without_check_a_broken_bound_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "MEASUREMENTS", {"in-process": (lambda plan, progress: Results(), "")})
    target = tmp_path / "copy.json"
    assert cli.main(["--only", "in-process", "--out", str(tmp_path), "--json", str(target)]) == 0
    assert json.loads(target.read_text())["machine"]["command"]


@pytest.mark.parametrize(("options", "measured"), [((), True), (("--quick",), False)], ids=["full", "quick"])
def test_a_quick_run_leaves_out_what_only_a_quiet_machine_shows(
    options: tuple[str, ...], measured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def noting(name: str) -> Results:
        ran.append(name)
        return _all_kept()

    measurements = {name: (lambda plan, progress, name=name: noting(name), "") for name in MEASUREMENTS}
    monkeypatch.setattr(cli, "MEASUREMENTS", measurements)
    monkeypatch.setattr(load, "missing", lambda: None)
    assert cli.main([*options, "--check", "--out", str(tmp_path)]) == 0
    assert set(ran) == {name for name in MEASUREMENTS if measured or name not in cli.FULL_ONLY}


def test_a_quick_run_has_every_figure_that_check_needs() -> None:
    assert not {bound.measurement for bound in BOUNDS if bound.limit is not None} & set(cli.FULL_ONLY)


def _machine(python: str, **versions: str | None) -> dict[str, Any]:
    described = machine.describe([])
    return {**described, "python": f"CPython {python}", "versions": {**described["versions"], **versions}}


def test_the_table_names_the_version_of_each_peer_and_those_that_this_python_holds_back() -> None:
    versions = {"probirka": "0.9.0", "django-health-check": "4.8.0", "light-health": None}
    text = report.readme_table(_machine("3.11.7", **versions), _all_kept())
    assert "| probirka 0.9.0 |" in text
    assert text.endswith(
        "On CPython 3.11.7; not in its newest release: django-health-check (4.9 and later need Python 3.14 and "
        "Django 6); not at all: light-health (it needs Python 3.13).\n"
    )


def test_a_python_that_holds_back_no_peer_needs_no_excuse() -> None:
    text = report.readme_table(_machine("3.14.0rc2", **{"django-health-check": "4.11.1"}), _all_kept())
    assert text.splitlines()[-1].startswith("|")


def test_the_report_says_why_a_peer_did_not_run() -> None:
    described = _machine("3.12.1", **{"light-health": None, "django-health-check": "4.8.0", "django": "5.2"})
    text = tables.contenders(described)
    assert "with, on CPython 3.12.1" in text
    assert "| light-health | not installed (it needs Python 3.13) |" in text
    assert "django-health-check 4.8.0, django 5.2 (4.9 and later need Python 3.14 and Django 6)" in text


def test_the_same_figures_give_the_same_files(tmp_path: Path) -> None:
    described = _machine("3.11.7")
    first, second = tmp_path / "first", tmp_path / "second"
    report.write(first, described, _all_kept())
    report.write(second, described, Results.of_plain(json.loads((first / "results.json").read_text())))
    assert {file.name: file.read_text() for file in first.iterdir()} == {
        file.name: file.read_text() for file in second.iterdir()
    }


def test_a_column_that_was_not_measured_is_left_out_of_the_table(tmp_path: Path) -> None:
    results = Results([each for each in _all_kept().figures if each.measure != "processor, uvicorn"])
    assert "processor time" in report.readme_table(_machine("3.11.7"), _all_kept())
    assert "processor time" not in report.readme_table(_machine("3.11.7"), results)


def test_a_full_run_replaces_the_results_and_the_tables_of_the_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    page = tmp_path / "README.md"
    page.write_text(f"above\n{marker(ANSWER)}old\n{END}\nbelow\n")
    other = tmp_path / "docs" / "waits.md"
    other.parent.mkdir()
    other.write_text(f"{marker(WAITS)}{END}\n")
    monkeypatch.setattr(cli, "MEASUREMENTS", {"in-process": (lambda plan, progress: _all_kept(), "")})
    monkeypatch.setattr(cli, "RESULTS", results)
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    assert cli.main([]) == 0
    assert page.read_text() == f"above\n{marker(ANSWER)}{(results / ANSWER).read_text()}{END}\nbelow\n"
    assert other.read_text() == f"{marker(WAITS)}{(results / WAITS).read_text()}{END}\n"


def test_a_quick_run_leaves_the_tracked_results_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "MEASUREMENTS", {"in-process": (lambda plan, progress: _all_kept(), "")})
    monkeypatch.setattr(cli, "RESULTS", tmp_path)
    cli.main(["--quick"])
    assert [each.name for each in tmp_path.iterdir()] == ["partial"]


def test_list_names_every_measurement_and_every_contender(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--list"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in [*MEASUREMENTS, "django-health-check", "light-health"])


def test_a_measurement_that_fails_fails_the_run_and_spares_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(plan: Plan, progress: Progress) -> Results:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(cli, "MEASUREMENTS", {"bad": (fail, ""), "good": (lambda plan, progress: _all_kept(), "")})
    assert cli.main(["--out", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "bad: RuntimeError: out of luck" in said.out
    assert "## Targets" in said.out
