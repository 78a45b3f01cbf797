"""docs/how-to/servers, and each command line of a server in all pages: the server itself accepts it.

The tests in tests/servers show what the pages say about the behaviour.
"""

import re
import shlex
import sys
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import click
import hypercorn.__main__
import hypercorn.config
import pytest
import yaml
from daphne.cli import CommandLineInterface
from granian.cli import cli as granian_command
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.config import Config
from uvicorn.main import main as uvicorn_command

from asgi_health import Drain, HealthMiddleware
from asgi_health.cli.manifest.numbers import OWN_SHUTDOWN
from asgi_health.cli.manifest.servers import GUNICORN, SERVERS, command, reached_by_signals

from ..apps import plain_app
from ..cli.manifest import printed
from .blocks import BLOCKS, DOCS, PAGES, Block, blocks, name_of

LONGEST_REQUEST = 30.0
"""Seconds, on each page."""


def uvicorn_accepts(arguments: list[str]) -> None:
    uvicorn_command.make_context("uvicorn", arguments)


def granian_accepts(arguments: list[str]) -> None:
    granian_command.make_context("granian", arguments)


def hypercorn_accepts(arguments: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hypercorn.__main__, "run", lambda config: 0)
        hypercorn.__main__.main(arguments)


def daphne_accepts(arguments: list[str]) -> None:
    CommandLineInterface().parser.parse_args(arguments)


def gunicorn_accepts(arguments: list[str]) -> None:
    gunicorn_config(arguments)


def gunicorn_config(arguments: list[str]) -> Config:
    """Return what gunicorn makes of a command line.

    Name its file with `--config`: without it gunicorn looks in the folder in which it was imported.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["gunicorn", *arguments])
        patch.setattr(sys, "path", [*sys.path])
        config: Config = WSGIApplication().cfg
    return config


ACCEPTS: dict[str, Callable[[list[str]], None]] = {
    "uvicorn": uvicorn_accepts,
    "gunicorn": gunicorn_accepts,
    "granian": granian_accepts,
    "hypercorn": hypercorn_accepts,
    "daphne": daphne_accepts,
}
COMMAND = re.compile(rf"^(?:\$ )?((?:{'|'.join(ACCEPTS)}) .*\w+:\w+.*)$", re.MULTILINE)
INLINE = re.compile(rf"`((?:{'|'.join(ACCEPTS)}) [^`\n]*\w+:\w+[^`\n]*)`")


def commands() -> list[tuple[str, str]]:
    """Return each page with a command line of a server that starts an app, in a block or in a sentence."""
    found = [
        (block.page, line)
        for block in BLOCKS
        if block.language in ("console", "sh")
        for line in COMMAND.findall(block.text.replace("\\\n", " "))
    ]
    found += [(name_of(page), line) for page in PAGES for line in INLINE.findall(page.read_text())]
    return sorted({*found})


@pytest.mark.parametrize(("page", "line"), commands())
def test_the_server_accepts_each_command_line_of_a_page(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("WEB_CONCURRENCY", "GUNICORN_CMD_ARGS"):
        monkeypatch.delenv(variable, raising=False)
    name, *arguments = shlex.split(line.removesuffix(" &"))
    ACCEPTS[name](arguments)


@pytest.mark.parametrize("name", ACCEPTS)
def test_a_server_refuses_an_unknown_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((SystemExit, click.NoSuchOption)):
        ACCEPTS[name](["main:app", "--no-such-option", "1"])


CONFIGURATIONS = [block for block in BLOCKS if block.text.startswith("# gunicorn.conf.py")]


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_gunicorn_loads_each_configuration_and_knows_its_settings(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "gunicorn.conf.py"
    file.write_text(block.text)
    monkeypatch.chdir(tmp_path)
    config = gunicorn_config(["--config", str(file), "main:app"])
    names = re.findall(r"^(\w+) =", block.text, re.MULTILINE) + re.findall(r"^def (\w+)", block.text, re.MULTILINE)
    assert names
    assert [
        name for name in names if name not in config.settings
    ] == []  # gunicorn ignores a name that it does not know
    assert any(config.settings[name].get() != Config().settings[name].get() for name in names)  # it was loaded


def page_of(name: str) -> str:
    return f"how-to/servers/{name}.md"


def delay_on(page: str) -> float:
    (delay, *_) = re.findall(r"Drain\(delay=([\d.]+)", (DOCS / page).read_text())
    return float(delay)


@pytest.mark.parametrize("name", ACCEPTS)
def test_the_command_and_the_grace_period_are_those_that_the_manifest_prints_for_the_drain(name: str) -> None:
    page, server = page_of(name), reached_by_signals(SERVERS[name])
    delay = delay_on(page)
    words = command(server, "main:app", "0.0.0.0", 8000, delay=delay, longest_request=LONGEST_REQUEST)
    assert f"$ {shlex.join(words)}\n" in "".join(blocks("console", page))
    (shown,) = (yaml.safe_load(text)["terminationGracePeriodSeconds"] for text in blocks("yaml", page))
    manifest = printed("kubernetes", HealthMiddleware(plain_app, drain=Drain(delay=delay)), server=name)
    (deployment, *_) = yaml.safe_load_all(manifest)
    assert shown == deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    request = LONGEST_REQUEST if server.finishes_requests else 0.0
    assert shown == ceil(delay + request + OWN_SHUTDOWN)


def test_the_file_of_gunicorn_sets_the_grace_of_its_command() -> None:
    (block,) = (block for block in CONFIGURATIONS if block.page == page_of(GUNICORN.name))
    settings: dict[str, Any] = {}
    exec(compile(block.text, str(block), "exec"), settings)
    assert settings["graceful_timeout"] == delay_on(block.page) + LONGEST_REQUEST


def test_the_table_has_the_defaults_of_the_servers() -> None:
    (row,) = re.findall(r"^\| its default \| (.*) \|$", (DOCS / "how-to/servers/index.md").read_text(), re.MULTILINE)
    shown = dict(zip(ACCEPTS, row.split(" | "), strict=True))
    defaults = {
        "uvicorn": uvicorn_command.make_context("uvicorn", ["main:app"]).params["timeout_graceful_shutdown"],
        "gunicorn": Config().graceful_timeout,
        "granian": granian_command.make_context("granian", ["main:app"]).params["workers_kill_timeout"],
        "hypercorn": hypercorn.config.Config().graceful_timeout,
    }
    texts = {name: "without an end" if value is None else f"{value:.0f} s" for name, value in defaults.items()}
    assert shown == texts | {"daphne": "does not wait"}
