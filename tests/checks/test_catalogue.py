"""What holds for every ready-made check, without a server."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from asgi_health import Status
from asgi_health.checks._support.catalogue import entries
from asgi_health.checks._support.client import load
from asgi_health.checks._support.document import document

from .conftest import do_without
from .observe import expect
from .rows import ROWS, Row

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "reference/checks.md"

SERVERLESS = {
    "dns.dns_name",
    "heartbeat.Heartbeat",
    "loop.loop_lag",
    "process.disk_free",
    "process.memory",
    "process.open_files",
    "sqlite.aiosqlite_connection",
    "sqlite.sqlite_database",
    "tcp.tcp_connect",
    "threads.thread_limiter",
    "tls.tls_certificate",
}
"""Checks that ask no server, or one of the application's own processes; each has a test file of its own."""

pytestmark = pytest.mark.anyio

CHECKS = {(row.check.__module__, row.check.__name__): row for row in reversed(ROWS) if row.takes_client}
"""One row for each check that takes a client: all rows of a check refuse other clients in the same way."""

each_check = pytest.mark.parametrize("row", [pytest.param(row, id=name) for (_, name), row in CHECKS.items()])


def test_a_missing_driver_is_named_with_the_extra_that_installs_it() -> None:
    cases = {
        (row.check.__module__, row.check.__name__, row.takes_client, driver) for row in ROWS for driver in row.drivers
    }
    command = [sys.executable, "-m", "tests.checks.without_drivers"]
    done = subprocess.run(
        command, input=json.dumps(sorted(cases)), capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert dict(json.loads(line) for line in done.stdout.splitlines()) == {
        f"{row.check.__module__}.{row.check.__name__} {driver}": (
            f'ModuleNotFoundError: {driver} is not installed; try: pip install "asgi-health[{row.extra}]"'
        )
        for row in ROWS
        for driver in row.drivers
    }


async def no_client() -> None: ...


@each_check
def test_another_kind_of_client_is_refused_when_the_check_is_made(row: Row) -> None:
    wrongs: list[Any] = [None, "postgresql://user:rightsecret@host/db", 1, object(), object, {}, no_client]
    for wrong in wrongs:
        with pytest.raises(TypeError, match=r": expected .+ or a plain function without arguments") as caught:
            row.check(wrong)
        assert "rightsecret" not in str(caught.value)


@each_check
async def test_a_function_that_returns_no_client_fails_with_the_reason(row: Row) -> None:
    await expect(row.check(lambda: None), Status.UNHEALTHY, "^ClientError: there is no client yet")
    another = r"^TypeError: \w+: the function returned one of str, expected"
    await expect(row.check(lambda: "another"), Status.UNHEALTHY, another)


def test_no_module_imports_more_than_the_standard_library_before_a_check_is_made() -> None:
    program = (
        "import sys; from importlib import import_module; from asgi_health.checks._support.catalogue import modules;"
        "before = set(sys.modules);"
        "[import_module(module) for module in modules()];"
        "print({name.partition('.')[0] for name in set(sys.modules) - before}"
        " - set(sys.stdlib_module_names) - {'asgi_health', '_missing_stdlib_info'})"  # the last: Python 3.15's own
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "set()\n"
    )


def test_the_page_is_the_output_of_the_command() -> None:
    command = [sys.executable, "-m", "asgi_health.checks"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert DOCS.read_text() == printed, "write the page again: python -m asgi_health.checks > docs/reference/checks.md"


def test_each_argument_and_error_is_an_item_of_a_list() -> None:
    sections = re.findall(r"^\*\*(?:Arguments|Attributes|Raises)\*\*\n\n((?:.+\n)+)", document(), flags=re.MULTILINE)
    assert len(sections) > 50
    assert [line for section in sections for line in section.splitlines() if not line.startswith(("- `", "  "))] == []


def test_the_docs_hold_every_word_of_a_docstring_below_its_heading() -> None:
    page = document()
    for entry in entries():
        section = page.partition(f"\n### `{entry.function}`\n")[2].partition("\n### ")[0]
        assert entry.docstring, entry.function
        for part in re.split(r"^(?:Args|Attributes|Raises):$", entry.docstring, flags=re.MULTILINE):
            assert words(part) in words(section), entry.function


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text))


def test_every_check_of_the_docs_has_a_row_in_the_matrix() -> None:
    tested = {f"{row.check.__module__.rpartition('.')[2]}.{row.check.__name__}" for row in ROWS}
    without = {"arq.arq_pool", "arq.arq_worker"} if find_spec("arq") is None else set()
    assert {entry.function for entry in entries()} - SERVERLESS - without == tested


@pytest.mark.parametrize(("environment", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_server_skips_the_test_and_in_the_gate_fails_it(
    monkeypatch: pytest.MonkeyPatch, environment: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", environment)
    with pytest.raises(outcome, match="apt install it"):
        do_without("apt install it")


def test_the_error_of_a_driver_that_lacks_a_module_is_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_driver.py").write_text("import what_it_needs")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'what_it_needs'$"):
        load("a_driver", extra="driver")
