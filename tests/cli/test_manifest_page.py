"""The pages show what `asgi-health manifest` prints for the app of docs/how-to/manifest.md, which lists its options."""

import re
from functools import cache
from pathlib import Path
from textwrap import indent

import kubernetes_validate
import pytest
import yaml

from asgi_health import Drain, HealthMiddleware
from asgi_health.cli.check.find_health import find_middlewares
from asgi_health.cli.main import main
from asgi_health.integrations.systemd import Systemd

from ..apps import plain_app
from ..documentation.blocks import DOCS, blocks
from .command import run
from .manifest import printed, tool
from .test_manifest_platforms import PLATFORMS

PAGE = (DOCS / "how-to/manifest.md").read_text()
SHOWN = re.compile(r"^<!-- manifest: (\w+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = SHOWN.findall(PAGE)
COMMAND = re.compile(r"^\$ asgi-health manifest (\w+) app:app(.*?) > \S+$", re.MULTILINE)
PAGES = {
    match[1]: match[2]
    for page in sorted((DOCS / "how-to/platforms").glob("*.md"))
    for match in SHOWN.finditer(page.read_text())
}
"""What the page of each platform shows, without the comments."""


@cache
def sample() -> HealthMiddleware:
    """Return the health layer of the app that the pages are about."""
    ((_, program),) = [block for block in BLOCKS if block[0] == "app"]
    names = {"__name__": __name__}
    exec(compile(program, "app.py", "exec", dont_inherit=True), names)
    return find_middlewares(names["app"], "app:app")[0]


def kubernetes(text: str, folder: Path) -> None:
    for document in yaml.safe_load_all(text):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_the_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    ((_, program),) = [block for block in BLOCKS if block[0] == "app"]
    (tmp_path / "app.py").write_text(program)
    (line,) = re.findall(r"^\$ asgi-health (manifest kubernetes .*) > \S+$", PAGE, re.MULTILINE)
    done = run(*line.split(), cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    shown = [text for name, text in BLOCKS if name == "kubernetes"]
    assert shown
    for text in shown:
        assert text in done.out


@pytest.mark.parametrize("platform", PAGES)
def test_the_page_of_a_platform_shows_what_is_printed_and_the_platform_accepts_it(
    platform: str, tmp_path: Path
) -> None:
    page = next(DOCS.glob(f"how-to/platforms/{platform}.md")).read_text()
    ((_, options),) = [match for match in COMMAND.findall(page) if match[0] == platform]
    text = printed(platform, sample(), target="app:app", hosts=re.findall(r"--host (\S+)", options))
    bare = re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE)
    # The probes stand at the margin of the page of Kubernetes.
    assert any(indent(PAGES[platform], " " * columns) in bare for columns in range(0, 12, 2))
    (PLATFORMS | {"kubernetes": kubernetes})[platform](text, tmp_path)


def test_each_platform_of_the_command_but_systemd_has_a_page_that_shows_it() -> None:
    assert {*PAGES} == {*PLATFORMS, "kubernetes"} - {"systemd"}


def test_the_unit_of_the_page_has_the_settings_that_are_printed() -> None:
    # The place and the user depend on the host; tests/supervisors runs the unit of the page.
    place = {"Description", "WorkingDirectory", "ExecStart", "User"}
    app = HealthMiddleware(plain_app, drain=Drain(delay=10.0), integrations=[Systemd()])
    shown, made = (
        {setting for setting in re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE) if setting[0] not in place}
        for unit in (blocks("ini", "how-to/platforms/systemd.md")[0], printed("systemd", app, target="app:app"))
    )
    assert shown == made


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
    assert re.findall(r"^\| \[?`([a-z]+)`\]?", PAGE, re.MULTILINE) == re.split(r",\s+", platforms)
