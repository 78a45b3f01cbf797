"""What the gate runs a second time: .ci/failures reads it from the report of pytest."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "failures"


def case(name: str, result: str = "", *, classname: str = "tests.a.test_b", file: str = "tests/a/test_b.py") -> str:
    return f'<testcase classname="{classname}" name="{name}" file="{file}">{result}</testcase>'


GROUPED = case("test_d[x@y z]@server e", "<failure>E</failure>", classname="tests.a.test_b.TestC")
ALONE = case("test_f[x@y]", "<error>E</error>")
PASSED = case("test_g")
CRASHED = case("test_h", "<error>worker 'gw0' crashed while running it</error>")
COLLECTED = case("tests.a.test_b", "<error>ImportError</error>", classname="", file="")


def failures(command: str, folder: Path, *cases: str) -> subprocess.CompletedProcess[str]:
    report = folder / "report.xml"
    report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    return subprocess.run([sys.executable, SCRIPT, command, report], capture_output=True, text=True, check=False)


def test_a_second_try_is_given_to_what_failed(tmp_path: Path) -> None:
    found = failures("names", tmp_path, GROUPED, PASSED, ALONE)
    assert found.stdout.splitlines() == ["tests/a/test_b.py::TestC::test_d[x@y z]", "tests/a/test_b.py::test_f[x@y]"]
    assert found.returncode == 0


@pytest.mark.parametrize(
    ("cases", "reason"),
    [
        ([ALONE, CRASHED], "crashed"),
        ([ALONE, COLLECTED], "is not a test"),
        ([ALONE.replace("test_f", f"test_{number}") for number in range(11)], "more than 10"),
        ([PASSED], "no failed test"),
        (["<"], "no second try"),
    ],
    ids=["crash", "collection", "many", "none", "cut off"],
)
def test_there_is_none_where_more_than_a_test_failed(cases: list[str], reason: str, tmp_path: Path) -> None:
    found = failures("names", tmp_path, *cases)
    assert (found.returncode, found.stdout) == (1, "")
    assert reason in found.stderr


def test_the_end_of_the_log_shows_each_error(tmp_path: Path) -> None:
    long = ALONE.replace(">E<", f">{'line&#10;' * 200}E the reason<")
    shown = failures("show", tmp_path, GROUPED, long).stdout
    assert "--- report: tests/a/test_b.py::test_f[x@y]" in shown
    assert "E the reason" in shown
    assert len(shown.splitlines()) < 60
