"""docs/how-to/manifest.md shows what the command prints, and lists its options."""

import re
from pathlib import Path

import pytest

from asgi_health.cli.main import main

from ..documentation.blocks import blocks
from ..servers.process import ROOT
from .command import run
from .manifest import tool

PAGE = (ROOT / "docs" / "how-to/manifest.md").read_text()
BLOCKS = re.findall(r"^<!-- manifest: (\w+) -->\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("platform", ["kubernetes", "haproxy"])
def test_the_command_prints_what_the_page_shows(platform: str, tmp_path: Path) -> None:
    ((_, program),) = [block for block in BLOCKS if block[0] == "app"]
    (tmp_path / "app.py").write_text(program)
    (line,) = re.findall(rf"^\$ asgi-health (manifest {platform} .*) > \S+$", PAGE, re.MULTILINE)
    done = run(*line.split(), cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    shown = [text for name, text in BLOCKS if name == platform]
    assert shown
    for text in shown:
        assert text in done.out


def test_the_way_from_an_app_to_a_deployment_works_as_printed(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(blocks("python")[0])
    session = blocks("console", "how-to/platforms/kubernetes.md")[0]
    install, *commands = re.findall(r"^\$ (.*)$", session, re.MULTILINE)
    assert install.startswith("pip install")
    printed = ""
    for each in commands:
        line, _, file = each.partition(" > ")
        program, *arguments = line.split()
        asgi_health = program == "asgi-health"
        done = (
            run(*arguments, cwd=tmp_path)
            if asgi_health
            else run(*arguments, command=(tool(program, install),), cwd=tmp_path)
        )
        assert (done.code, done.err) == (0, "") if asgi_health else done.code == 0, done
        if file:
            (tmp_path / file).write_text(done.out)
        printed = done.out
    assert "[shared-dependencies]" in printed
    assert printed.endswith("1 warning\n")


def test_the_page_lists_each_option_and_each_platform(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["manifest", "--help"])
    printed = capsys.readouterr().out
    options = re.findall(r"^  (--[\w-]+)", printed, re.MULTILINE)
    assert sorted(re.findall(r"^\| `(--[\w-]+)", PAGE, re.MULTILINE)) == sorted(options)
    (platforms,) = re.findall(r"PLATFORM +one of ([\w,\s]+?)\n +MODULE", printed)
    assert re.findall(r"^\| `([a-z]+)` \|", PAGE, re.MULTILINE) == re.split(r",\s+", platforms)
