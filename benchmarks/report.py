"""What is written to the disk: results.json, results.md, the table and the plots.

`python -m benchmarks.report` writes them anew from the tracked results.json, and the table into the README.
"""

import json
from pathlib import Path
from typing import Any

from . import machine, svg, tables
from .contenders import CONTENDERS, LIMIT
from .figures import Figure, Results

FOLDER = Path(__file__).parent / "results"
README = ("limit", "starlette", "fastapi-awaits", "asgi-health+fastapi")
"""Whom the README compares, besides the peers."""


def write(folder: Path, described: dict[str, Any], results: Results) -> list[Path]:
    """Write everything that the results are enough for, return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "results.json": json.dumps({"machine": described, **results.plain()}, indent=1, ensure_ascii=False) + "\n",
        "results.md": tables.document(described, results),
        "README-table.md": readme_table(described, results),
        "README.svg": readme_plot(results),
        "answer.svg": answer_plot(results),
        "latency.svg": latency_plot(results),
        "watching.svg": watching_plot(results),
    }
    written = []
    for name, text in files.items():
        if text:
            (folder / name).write_text(text)
            written.append(folder / name)
    return written


def rewrite(folder: Path, readme: Path) -> None:
    """Write everything anew from results.json, and the table into the README."""
    plain = json.loads((folder / "results.json").read_text())
    write(folder, plain["machine"], Results.of_plain(plain))
    table = (folder / "README-table.md").read_text()
    head, begin, rest = readme.read_text().partition("<!-- benchmarks: benchmarks/results/README-table.md -->\n")
    _, end, tail = rest.partition("<!-- /benchmarks -->")
    if not end:
        raise ValueError(f"{readme} has no place for the table")
    readme.write_text(head + begin + table + end + tail)


def readme_table(described: dict[str, Any], results: Results) -> str:
    """Return the one table of the README, empty when something for it was not measured."""
    versions = described["versions"]
    rows = []
    for who in CONTENDERS:
        answer = results.find("answer", "GET ready", who.name)
        served = results.find("served, uvicorn", "16 kept", who.name)
        hang = results.find("tail", "dependency hangs", who.name)
        runs = results.find("load", "100,000 probes", who.name)
        if who.ours and who.name != "asgi-health+fastapi":
            continue
        if answer is None or served is None:
            continue
        rows.append(
            [
                f"{who.title} {versions[who.needs[0]]}" if _kind(who.name) == "peer" else who.title,
                _ratio(answer),
                _ratio(served),
                "–" if hang is None else _wait(hang),
                "–" if runs is None else tables.number(runs.value.median),
            ]
        )
    if not rows:
        return ""
    headings = [
        "",
        "one answer in process, × the limit",
        "probes/s under uvicorn, × the limit",
        "longest wait while the dependency hangs",
        "runs of the check by 100,000 probes",
    ]
    caveat = (
        f"Medians of ratios measured side by side on one machine ({described['cores']} × {described['processor']}, "
        f"{described['python']}, {described['date'][:10]}); the check costs nothing, the limit is an app that sends "
        "two constant messages. `python -m benchmarks` measures yours."
    )
    parts = [caveat, tables.table(headings, rows)]
    if held := _held_back(described):
        parts.append(held)
    return "\n\n".join(parts) + "\n"


def _held_back(described: dict[str, Any]) -> str:
    """Return which peers did not run in their newest release, and why."""
    older: list[str] = []
    absent: list[str] = []
    for who in CONTENDERS:
        if because := who.held_back(machine.python_of(described)):
            (older if described["versions"][who.needs[0]] else absent).append(f"{who.title} ({because})")
    parts = [f"On {described['python']}"]
    if older:
        parts.append(f"not in its newest release: {', '.join(older)}")
    if absent:
        parts.append(f"not at all: {', '.join(absent)}")
    return "; ".join(parts) + "." if older or absent else ""


def readme_plot(results: Results) -> str:
    """Return the one plot of the README: throughput against the limit, and the wait for a hanging dependency."""
    served = _bars(results, "served, uvicorn", "16 kept", ratio=True)
    hang = _bars(results, "tail", "dependency hangs", ratio=False)
    if not served or not hang:
        return ""
    return svg.panels(
        svg.Panel(
            "Probes per second, against an app of two constant messages",
            "uvicorn, 16 connections; longer is better",
            served,
        ),
        svg.Panel(
            "The longest a probe waits while a dependency hangs",
            "logarithmic; shorter is better; given up after 5 s",
            hang,
            logarithmic=True,
        ),
    )


def answer_plot(results: Results) -> str:
    """Return the plot of what an answer costs in process."""
    bars = _bars(results, "answer", "GET ready", ratio=True, wanted=None)
    panel = svg.Panel(
        "One answer in process, times the constant app", "logarithmic; shorter is better", bars, logarithmic=True
    )
    return svg.panels(panel) if bars else ""


def latency_plot(results: Results) -> str:
    """Return the plot of the latency distribution with a new connection per probe."""
    figures = results.of("latency, uvicorn, 16 new")
    order = list(dict.fromkeys(figure.case for figure in figures))
    lines = []
    colours = _colours(list(dict.fromkeys(figure.contender for figure in figures)))
    for name in colours:
        points = [(float(order.index(f.case)), f.value.median / 1000) for f in figures if f.contender == name]
        lines.append(svg.Line(tables.title(name), points, colours[name]))
    if not lines:
        return ""
    ticks = [(float(place), case) for place, case in enumerate(order)]
    note = "uvicorn, 16 connections at a time, a new one for each probe; logarithmic"
    return svg.chart("Latency of a probe", note, lines, ticks, unit="ms")


def watching_plot(results: Results) -> str:
    """Return the plot of the processor time against the number of checks."""
    figures = [f for f in results.of("watching") if f.unit == "% of a core"]
    lines = []
    sizes = sorted({_size(f) for f in figures})
    colours = _colours(list(dict.fromkeys(figure.contender for figure in figures)))
    for name in colours:
        points = [(float(sizes.index(_size(f))), f.value.median) for f in figures if f.contender == name]
        lines.append(svg.Line(tables.title(name), sorted(points), colours[name]))
    if not lines or len(sizes) < 2:
        return ""
    ticks = [(float(place), f"{size:,} checks") for place, size in enumerate(sizes)]
    return svg.chart(
        "What watching costs while nobody asks", "every 10 s; both scales logarithmic", lines, ticks, unit="%"
    )


def _colours(names: list[str]) -> dict[str, str]:
    """Return a colour for each, no two alike in one chart."""
    colours: dict[str, str] = {}
    for name in names:
        kind = _kind(name)
        same = [known for known in svg.COLOURS if known == kind or known.startswith(f"{kind}-")]
        free = [known for known in same if known not in colours.values()]
        colours[name] = (free or same)[0]
    return colours


def _size(figure: Figure) -> int:
    return int(figure.case.split()[0].replace(",", ""))


def _bars(
    results: Results, measure: str, case: str, *, ratio: bool, wanted: tuple[str, ...] | None = README
) -> list[svg.Bar]:
    bars = []
    for who in CONTENDERS:
        figure = results.find(measure, case, who.name)
        if figure is None or (wanted is not None and who.name not in wanted and _kind(who.name) != "peer"):
            continue
        if ratio:
            if figure.ratio is not None:
                median = figure.ratio.median
                bars.append(svg.Bar(who.title, median, f"{tables.number(median)}×", _kind(who.name)))
        else:
            bars.append(svg.Bar(who.title, figure.value.median, _wait(figure), _kind(who.name)))
    return bars


def _kind(name: str) -> str:
    if name.startswith("asgi-health"):
        return "ours"
    if name == LIMIT.name:
        return "limit"
    return "hand" if name in ("starlette", "fastapi", "fastapi-awaits") else "peer"


def _ratio(figure: Figure) -> str:
    return "" if figure.ratio is None else tables.spread(figure.ratio, "×")


def _wait(figure: Figure) -> str:
    milliseconds = figure.value.median
    if figure.note.startswith("given up"):
        return f"> {int(milliseconds / 1000)} s"
    return f"{milliseconds / 1000:.1f} s" if milliseconds >= 1000 else f"{tables.number(milliseconds)} ms"


if __name__ == "__main__":
    rewrite(FOLDER, FOLDER.parent.parent / "README.md")
