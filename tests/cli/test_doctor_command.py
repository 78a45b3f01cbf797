"""`asgi-health doctor`: what it prints, how it ends, and what it starts."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from asgi_health.cli.doctor.finding import Row
from asgi_health.cli.doctor.table import as_text
from asgi_health.cli.main import main

from .command import Completed, run
from .doctor.manifests import HEALTHY

PAGE = "https://asgi-health.github.io/asgi-health/latest/reference/doctor/"
SHOP = """
import contextlib
from starlette.applications import Starlette
from asgi_health import Check, HealthMiddleware, Probe

@contextlib.asynccontextmanager
async def lifespan(app):
    global started
    started = True
    yield

async def database():
    print("printed by the app")
    assert started

inner = Starlette(lifespan=lifespan)
app = HealthMiddleware(inner, [Check("database", database, probes=(Probe.LIVENESS,))], details=True)
plain = HealthMiddleware(inner)
"""
MISSING = """
import sys
sys.modules["redis"] = None
from asgi_health.checks.redis import redis_client
redis_client(None)
"""


def doctor(folder: Path, source: str, *arguments: str) -> Completed:
    """Run the command for the program `source`."""
    (folder / "shop.py").write_text(source)
    return run("doctor", *(arguments or ("shop:app",)), cwd=folder, env={"PYTHONDONTWRITEBYTECODE": "1"})


def test_errors_come_first_with_why_and_cure_and_fail(tmp_path: Path) -> None:
    completed = doctor(tmp_path, SHOP)
    assert (completed.code, completed.err) == (1, "printed by the app\n")
    liveness, details, summary = completed.out.split("\n\n")
    first, why, cure, page = liveness.splitlines()
    assert first == "error: check 'database' counts for liveness, and asks database [liveness-dependency]"
    assert why.startswith("  why:  A failing liveness probe restarts the container.")
    assert cure == "  cure: probes=(Probe.READINESS,)"
    assert page == f"  see:  {PAGE}#liveness-dependency"
    assert details.startswith("warning: details: ")
    assert summary == "1 error, 1 warning\n"


def test_a_warning_alone_passes_and_json_has_the_same_findings(tmp_path: Path) -> None:
    completed = doctor(tmp_path, SHOP, "shop:app", "--json", "--ignore", "liveness-dependency", "--no-start")
    assert (completed.code, completed.err) == (0, "")
    document = json.loads(completed.out)
    (finding,) = document["findings"]
    assert (document["status"], finding["rule"], finding["severity"]) == ("warn", "open-details", "warning")
    assert finding["page"] == f"{PAGE}#open-details"


def test_an_app_that_lacks_a_driver_and_one_that_does_not_start_are_findings(tmp_path: Path) -> None:
    missing = (
        "import sys\nsys.modules['redis'] = None\nfrom asgi_health.checks.redis import redis_client\nredis_client(1)"
    )
    completed = doctor(tmp_path, missing)
    assert completed.code == 1
    assert completed.out.splitlines()[0] == ("error: the app needs redis, which is not installed [missing-extra]")
    assert '  cure: pip install "asgi-health[redis]"' in completed.out
    crashing = SHOP.replace("started = True", "raise OSError('password=hunter2 is refused')")
    completed = doctor(tmp_path, crashing, "shop:plain")
    assert completed.code == 1
    assert completed.out.splitlines()[0] == (
        "error: the app failed to start: OSError: password=*** is refused [not-started]"
    )


def test_an_app_that_starts_for_too_long_is_a_finding_next_to_the_others(tmp_path: Path) -> None:
    source = """
import asyncio
from asgi_health import HealthMiddleware

async def never(scope, receive, send):
    await receive()
    await asyncio.sleep(600)

app = HealthMiddleware(never, details=True)
"""
    completed = doctor(tmp_path, source, "shop:app", "--timeout", "0.2", "--json")
    assert (completed.code, completed.err) == (1, "")
    found = {each["rule"]: each["what"] for each in json.loads(completed.out)["findings"]}
    assert found["not-started"] == "the app had not started after 0.2 s"
    assert set(found) == {"not-started", "open-details"}


def test_a_manifest_is_compared_with_the_app(tmp_path: Path) -> None:
    (tmp_path / "deployment.yaml").write_text(yaml.safe_dump(HEALTHY))
    completed = doctor(tmp_path, SHOP, "shop:plain", "--kubernetes", "deployment.yaml")
    assert (completed.code, completed.out, completed.err) == (0, "nothing found\n", "")


@pytest.mark.parametrize(
    ("source", "options", "error"),
    [
        (SHOP, ["--container", "web"], "the manifest has no container 'web'; it has: app"),
        ("async def app(scope, receive, send): ...", [], "shop:app has no HealthMiddleware, neither around it nor"),
    ],
    ids=["no container", "no layer"],
)
def test_what_cannot_be_examined_is_one_line(source: str, options: list[str], error: str, tmp_path: Path) -> None:
    (tmp_path / "deployment.yaml").write_text(yaml.safe_dump(HEALTHY))
    completed = doctor(tmp_path, source, "shop:app", "--kubernetes", "deployment.yaml", *options)
    assert (completed.code, completed.out) == (1, "")
    assert completed.line.startswith(f"python -m asgi_health doctor: {error}")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["shop:app", "--ignore", "open-detail"], "'open-detail' is no rule; did you mean open-details?"),
        (["shop:app", "--ignore", "?"], f"'?' is no rule; see {PAGE}"),
        (["shop:app", "--workers", "0"], "'0' is not a number from 1 to 999999"),
        (["shop:app", "--grace", "x"], "'x' is not a number of seconds"),
        (["file:/run/app/ready"], "expected module:app or module:factory()"),
        (["ftp://127.0.0.1/"], "expected http://host/path"),
    ],
    ids=lambda each: each[-1] if isinstance(each, list) else "",
)
def test_a_wrong_argument_is_refused(arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["doctor", *arguments])
    assert end.value.code == 2
    assert error in capsys.readouterr().err


ROW = Row("open-details", "warning", "what [red]is[/red] found", "why", "the cure")


def test_on_a_terminal_it_is_a_table_of_rich_and_without_rich_the_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = as_text([ROW])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    table = as_text([ROW, ROW])
    assert f";{ROW.page}\x1b\\" in table, "the rule is a link"
    assert "what [red]is[/red] found" in table
    assert "│" in table
    assert table.endswith("\n2 warnings\n")
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert as_text([ROW]) == plain
