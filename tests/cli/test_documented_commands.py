"""Every command line of docs/reference/command.md prints what the page shows below it.

They run as written, except that they use a free port and a socket in a temporary folder.
"""

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from asgi_health.cli.main import main

from ..documentation.transcript import steps
from ..integrations.alerts.raw_receiver import raw_receiver, status
from ..servers.process import ROOT
from .command import run, uvicorn, wait_for_socket
from .demo import Demo
from .manifest import PATH

README = (ROOT / "README.md").read_text()
PAGE = (ROOT / "docs" / "reference/command.md").read_text()
PORT, SOCKET = "127.0.0.1:8000", "/run/app.sock"


def blocks(name: str) -> list[str]:
    """Return the blocks of docs/reference/command.md that have this name."""
    found = re.findall(rf"^<!-- command: {name} -->\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, name
    return found


@dataclass(frozen=True)
class Place:
    """The address and the socket of a server, in place of those in the page."""

    address: str
    path: Path

    def moved(self, text: str) -> str:
        return text.replace(PORT, self.address).replace(SOCKET, os.fspath(self.path))

    def run(self, command: list[str], cwd: Path = ROOT) -> tuple[int, str]:
        """Return the exit code, and stdout and stderr together."""
        done = subprocess.run(
            [self.moved(word) for word in command],
            cwd=cwd,
            env=os.environ | {"PATH": PATH},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.replace(self.address, PORT).replace(os.fspath(self.path), SOCKET)

    def outputs(self, block: str, cwd: Path = ROOT) -> Iterator[tuple[str, str]]:
        """Yield what the page shows below each command, and what the command prints."""
        for command, shown in steps(block):
            yield shown, self.run(["sh", "-c", command], cwd)[1]


@contextmanager
def serving(app: str, folder: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        place = Place(f"127.0.0.1:{listener.getsockname()[1]}", folder / "s")
        target = f"{__package__}.apps:{app}"
        stack.enter_context(uvicorn(target, listener=listener))
        stack.enter_context(uvicorn(target, "--uds", os.fspath(place.path)))
        wait_for_socket(place.path)
        run("wait", f"http://{place.address}/livez", f"unix:{place.path}:/livez")
        yield place


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with serving("healthy", tmp_path_factory.mktemp("healthy")) as place:
        assert place.run(["asgi-health", "wait", f"http://{PORT}/readyz", f"unix:{SOCKET}:/readyz"])[0] == 0
        yield place


@pytest.fixture(scope="module")
def unhealthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with serving("unhealthy", tmp_path_factory.mktemp("unhealthy")) as place:
        run("probe", f"http://{place.address}/readyz?format=text")
        yield place


def health_checks() -> list[list[str]]:
    """Return the commands after CMD, as Docker runs them."""
    commands = re.findall(r"^HEALTHCHECK .* CMD (.*)$", "".join(blocks("dockerfile")), re.MULTILINE)
    return [json.loads(each) if each.startswith("[") else ["sh", "-c", each] for each in commands]


def exec_probes() -> list[list[str]]:
    return [json.loads(each) for each in re.findall(r"^ +command: (.*)$", "".join(blocks("exec probe")), re.MULTILINE)]


def test_a_probe_of_a_ready_app_prints_what_is_shown(healthy: Place) -> None:
    for block in blocks("ready"):
        for shown, printed in healthy.outputs(block):
            assert printed == shown == ""


def test_a_probe_of_an_unready_app_prints_what_is_shown(unhealthy: Place) -> None:
    for block in blocks("not ready"):
        for shown, printed in unhealthy.outputs(block):
            assert printed == shown != ""


@pytest.mark.parametrize("command", health_checks(), ids=str)
def test_a_health_check_of_docker_follows_liveness(healthy: Place, unhealthy: Place, command: list[str]) -> None:
    assert healthy.run(command) == (0, "")
    assert unhealthy.run(command) == (0, "")  # a failed dependency is no reason for a restart
    gone = Place("127.0.0.1:1", unhealthy.path.with_name("gone"))
    assert gone.run(command)[0] == 1


@pytest.mark.parametrize("command", exec_probes(), ids=str)
def test_an_exec_probe_follows_readiness(healthy: Place, unhealthy: Place, command: list[str]) -> None:
    assert healthy.run(command) == (0, "")
    code, printed = unhealthy.run(command)
    assert (code, printed.count("\n")) == (1, 1)
    assert "answered 503" in printed


def test_wait_prints_what_is_shown(healthy: Place, tmp_path: Path) -> None:
    (block,) = blocks("wait")
    late = Place(healthy.address, tmp_path / "late")
    target = f"{__package__}.apps:healthy"
    # The second server starts after the first round.
    command = ["sh", "-c", re.findall(r"^\$ (.*)$", block, re.MULTILINE)[0]]
    with ExitStack() as stack:
        waiting = subprocess.Popen(
            [late.moved(word) for word in command],
            env=os.environ | {"PATH": PATH},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        stack.enter_context(waiting)
        assert waiting.stdout is not None
        lines = [waiting.stdout.readline(), waiting.stdout.readline()]
        stack.enter_context(uvicorn(target, "--uds", os.fspath(late.path)))
        lines += waiting.stdout.readlines()
        assert waiting.wait(60) == 0
    shown = re.sub(r"^\$ .*\n", "", block)
    printed = "".join(lines).replace(late.address, PORT).replace(os.fspath(late.path), SOCKET)
    between = r"(?:asgi-health wait: .*: (?:connection refused|answered 503; expected 200-299|ready)\n)*"
    head, last = shown.split("asgi-health wait: ready after")
    pattern = (
        re.escape(head) + between + r"asgi-health wait: ready after \d+\.\d s\n" + re.escape(last.split("\n", 1)[1])
    )
    assert re.fullmatch(pattern, printed), printed


def first_program() -> str:
    """Return the first program of README.md, which the commands check."""
    (first, *_) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return str(first)


def test_checking_the_first_program_prints_what_is_shown(healthy: Place, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(first_program())
    milliseconds = re.compile(r" +\d+\.\d$| +MS", re.MULTILINE)
    for block in blocks("check"):
        ((shown, printed),) = healthy.outputs(block, tmp_path)
        assert milliseconds.sub(" MS", printed) == milliseconds.sub(" MS", shown)


def test_a_test_of_alerts_prints_what_is_shown(tmp_path: Path) -> None:
    (block,) = blocks("alert test")
    (program,) = blocks("alert app")
    with raw_receiver(status(204)) as receiver, raw_receiver(status(404)) as gone:
        place = Place(f"127.0.0.1:{receiver.port}", tmp_path / "s")
        # The hosts of the page do not exist: their addresses are those of the receivers.
        moved = program.replace("https://alerts.example", receiver.url()).replace("https://old.example", gone.url())
        (tmp_path / "app.py").write_text(moved)
        ((shown, printed),) = place.outputs(block, tmp_path)
    milliseconds = re.compile(r"\d+ ms")
    hosts = {"webhook alerts.example": PORT, "webhook old.example": f"127.0.0.1:{gone.port}"}
    for name, host in hosts.items():
        printed = printed.replace(f"webhook {host}", name)
    assert [each.split() for each in milliseconds.sub("N ms", printed).splitlines()] == [
        each.split() for each in milliseconds.sub("N ms", shown).splitlines()
    ]


def test_the_deploy_gate_passes_a_healthy_app_and_stops_an_unhealthy_one(healthy: Place, tmp_path: Path) -> None:
    (line,) = re.findall(r"^\$ (.*)$", blocks("gate")[0], re.MULTILINE)
    (tmp_path / "deploy").write_text("#!/bin/sh\necho deployed\n")
    (tmp_path / "deploy").chmod(0o755)
    (tmp_path / "app.py").write_text(first_program())
    code, printed = healthy.run(["sh", "-c", line], tmp_path)
    assert (code, printed.splitlines()[-1]) == (0, "deployed")
    (tmp_path / "app.py").write_text(first_program().replace('    """Ping', '    raise OSError\n    """Ping'))
    code, printed = healthy.run(["sh", "-c", line], tmp_path)
    assert (code, printed.splitlines()[-1]) == (1, "failed: database")


def test_the_demo_prints_what_is_shown(demo: Demo) -> None:
    (block,) = blocks("demo")
    printed = demo.out.replace(demo.url, f"http://{PORT}")
    assert block == f"$ asgi-health demo\n{printed}"


def test_the_version_is_printed_as_shown(healthy: Place) -> None:
    ((shown, printed),) = healthy.outputs(blocks("version")[0])
    version = re.compile(r"asgi-health \S+ \(Python 3\.\S+\)\n")
    assert version.fullmatch(shown)
    assert version.fullmatch(printed)


def test_the_doctor_prints_what_is_shown(tmp_path: Path) -> None:
    (program,) = blocks("doctor app")
    (tmp_path / "app.py").write_text(program)
    place = Place(PORT, tmp_path / "s")
    ((shown, printed),) = place.outputs(blocks("doctor")[0], tmp_path)
    assert printed == shown


@pytest.mark.parametrize("command", ["probe", "check", "alert test", "doctor", "maintain", "status"])
def test_the_page_lists_each_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    options = re.findall(r"^  (--[\w-]+)", capsys.readouterr().out, re.MULTILINE)
    (section,) = re.findall(rf"^## {command.capitalize()}\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    assert sorted(re.findall(r"^\| `(--[\w-]+)", section, re.MULTILINE)) == sorted(options)
