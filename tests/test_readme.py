"""What README.md says is what happens."""

import inspect
import re
from collections import deque
from pathlib import Path
from traceback import FrameSummary, StackSummary
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from asgi_health import Check, HealthMiddleware, Paths, Probe
from asgi_health.runtime import watchdog
from asgi_health.runtime.watchdog.loop_heartbeat import Heartbeat
from asgi_health.testing import lifespan, probe, settled
from tests.documentation.blocks import blocks

README = (Path(__file__).parent.parent / "README.md").read_text()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_first_program_gives_the_answer_that_stands_below_it(backend: str) -> None:
    namespace: dict[str, Any] = {}
    exec(blocks("python")[0], namespace)
    app = namespace["app"]

    async def main() -> str:
        async with lifespan(app):
            await settled(app.health)
            answer = await probe(app, "/health/ready")
        headers = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
        return f"HTTP/1.1 {answer.status} OK\n{headers}\n{answer.body.decode()}\n"

    ((_, shown),) = [cut for block in blocks("console") if len(cut := block.split("grep -v -e ^date -e ^server\n")) > 1]
    assert anyio.run(main, backend=backend) == shown


def test_the_table_of_options_has_the_options_of_a_check_and_their_defaults() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (?:`(.*?)`)? ?\|", README, re.MULTILINE)
    parameters = inspect.signature(Check).parameters.values()
    assert [name for name, _ in rows] == [parameter.name for parameter in parameters]
    for (_, shown), parameter in zip(rows, parameters, strict=True):
        default = eval(shown, {"Probe": Probe}) if shown else inspect.Parameter.empty
        assert default == parameter.default


def test_the_table_of_endpoints_has_the_default_paths() -> None:
    rows = re.findall(r"^\| `(/\S+)` \| `(/\S+)` \|", README, re.MULTILINE)
    paths = Paths()
    assert sorted(rows) == sorted([paths.live, paths.ready, paths.startup, paths.health])  # type: ignore[type-var]


def test_the_options_of_the_middleware_are_all_told() -> None:
    for name in inspect.signature(HealthMiddleware).parameters:
        assert name in README


def test_the_figures_are_those_that_the_benchmarks_have_written() -> None:
    table = (Path(__file__).parent.parent / "benchmarks" / "results" / "README-table.md").read_text()
    shown = README.split("<!-- benchmarks: benchmarks/results/README-table.md -->\n")[1].split(
        "\n<!-- /benchmarks -->"
    )[0]
    assert shown == table.strip()


def test_the_record_of_a_blocked_loop_reads_as_it_stands_there(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = "/app/images.py"
    stack = StackSummary.from_list(
        [
            FrameSummary(file, 57, "upload", line="thumbnail = resize(picture)"),
            FrameSummary(file, 41, "resize", line="return picture.reduce(8)"),
        ]
    )
    monkeypatch.setattr(watchdog, "stack_of", lambda *_: stack)
    heartbeat = SimpleNamespace(alive=True, at=0.0, thread=0, below=(), stalls=deque[tuple[float, float]]())
    dog = watchdog.Watchdog(cast("Heartbeat", heartbeat), 1.0, lambda seconds: None)
    dog.begin(0.0)
    dog.look(1.5)
    heartbeat.stalls.append((0.0, 2.4))
    heartbeat.at = 2.65
    dog.look(2.7)
    (record,) = caplog.records
    assert f"{record.levelname} {record.getMessage()}\n" in blocks("text")
