"""Every command line of README.md's section on the command is run as it is written, but for the address.

The port is one that is free, and the socket is in a folder of the test's own.
"""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..servers.process import ROOT
from .command import run, served, wait_for_socket

README = (ROOT / "README.md").read_text()
PORT, SOCKET = "127.0.0.1:8000", "/run/app.sock"


def blocks(name: str) -> list[str]:
    found = re.findall(rf"^<!-- command: {name} -->\n```\w+\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found, name
    return found


@dataclass(frozen=True)
class Place:
    """Where a server is, in place of the address in README.md."""

    address: str
    path: Path

    def moved(self, text: str) -> str:
        return text.replace(PORT, self.address).replace(SOCKET, os.fspath(self.path))

    def run(self, command: list[str], cwd: Path = ROOT) -> tuple[int, str]:
        """The exit code, and what was printed, stdout and stderr in one."""
        scripts = os.path.dirname(sys.executable)
        done = subprocess.run(
            [self.moved(word) for word in command],
            cwd=cwd,
            env=os.environ | {"PATH": f"{scripts}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.replace(self.address, PORT).replace(os.fspath(self.path), SOCKET)

    def shown(self, block: str, cwd: Path = ROOT) -> Iterator[tuple[str, str]]:
        """What README.md shows below each command, and what there really is."""
        for command, below in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            yield below, self.run(["sh", "-c", command], cwd)[1]


@contextmanager
def serving(app: str, folder: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        place = Place(f"127.0.0.1:{listener.getsockname()[1]}", folder / "s")
        target = f"{__package__}.target:{app}"
        stack.enter_context(served(target, listener=listener))
        stack.enter_context(served(target, "--uds", os.fspath(place.path)))
        wait_for_socket(place.path)
        run("wait", f"http://{place.address}/livez", f"unix:{place.path}:/livez")
        yield place


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with serving("well", tmp_path_factory.mktemp("well")) as place:
        assert place.run(["asgi-health", "wait", f"http://{PORT}/readyz", f"unix:{SOCKET}:/readyz"])[0] == 0
        yield place


@pytest.fixture(scope="module")
def ill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with serving("ill", tmp_path_factory.mktemp("ill")) as place:
        run("probe", f"http://{place.address}/readyz?format=text")
        yield place


def health_checks() -> list[list[str]]:
    """The commands behind CMD, as Docker runs them."""
    commands = re.findall(r"^HEALTHCHECK .* CMD (.*)$", "".join(blocks("dockerfile")), re.MULTILINE)
    return [json.loads(each) if each.startswith("[") else ["sh", "-c", each] for each in commands]


def exec_probes() -> list[list[str]]:
    return [json.loads(each) for each in re.findall(r"^ +command: (.*)$", "".join(blocks("exec probe")), re.MULTILINE)]


def test_a_probe_of_what_is_ready_prints_what_is_shown(well: Place) -> None:
    for block in blocks("ready"):
        for shown, there in well.shown(block):
            assert there == shown == ""


def test_a_probe_of_what_is_not_ready_prints_what_is_shown(ill: Place) -> None:
    (block,) = blocks("not ready")
    pairs = list(ill.shown(block))
    assert len(pairs) == 2
    for shown, there in pairs:
        assert there == shown != ""


@pytest.mark.parametrize("command", health_checks(), ids=str)
def test_a_health_check_of_docker_follows_liveness(well: Place, ill: Place, command: list[str]) -> None:
    assert well.run(command) == (0, "")
    assert ill.run(command) == (0, "")  # a dependency that is gone is no reason to restart
    gone = Place("127.0.0.1:1", ill.path.with_name("gone"))
    assert gone.run(command)[0] == 1


@pytest.mark.parametrize("command", exec_probes(), ids=str)
def test_an_exec_probe_follows_readiness(well: Place, ill: Place, command: list[str]) -> None:
    assert well.run(command) == (0, "")
    code, said = ill.run(command)
    assert (code, said.count("\n")) == (1, 1)
    assert "answered 503" in said


def test_waiting_prints_what_is_shown(well: Place, tmp_path: Path) -> None:
    (block,) = blocks("wait")
    late = Place(well.address, tmp_path / "late")
    target = f"{__package__}.target:well"
    # The second server is started when the first question has been asked, as it is where one waits for it.
    command = ["sh", "-c", re.findall(r"^\$ (.*)$", block, re.MULTILINE)[0]]
    with ExitStack() as stack:
        waiting = subprocess.Popen(
            [late.moved(word) for word in command],
            env=os.environ | {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        stack.enter_context(waiting)
        assert waiting.stdout is not None
        said = [waiting.stdout.readline(), waiting.stdout.readline()]
        stack.enter_context(served(target, "--uds", os.fspath(late.path)))
        said += waiting.stdout.readlines()
        assert waiting.wait(60) == 0
    shown = re.sub(r"^\$ .*\n", "", block)
    there = "".join(said).replace(late.address, PORT).replace(os.fspath(late.path), SOCKET)
    between = r"(?:asgi-health wait: .*: (?:connection refused|answered 503; expected 200-299|ready)\n)*"
    head, last = shown.split("asgi-health wait: ready after")
    pattern = (
        re.escape(head) + between + r"asgi-health wait: ready after \d+\.\d s\n" + re.escape(last.split("\n", 1)[1])
    )
    assert re.fullmatch(pattern, there), there


def program() -> str:
    (first, *_) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return str(first)


def test_checking_the_first_program_prints_what_is_shown(well: Place, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(program())
    ((shown, there),) = well.shown(blocks("check")[0], tmp_path)
    aligned = re.compile(r" +\d+\.\d$| +MS", re.MULTILINE)
    assert aligned.sub(" MS", there) == aligned.sub(" MS", shown)


def test_the_gate_lets_through_what_is_well_and_stops_what_is_not(well: Place, tmp_path: Path) -> None:
    (line,) = re.findall(r"^\$ (.*)$", blocks("gate")[0], re.MULTILINE)
    (tmp_path / "deploy").write_text("#!/bin/sh\necho deployed\n")
    (tmp_path / "deploy").chmod(0o755)
    (tmp_path / "app.py").write_text(program())
    code, said = well.run(["sh", "-c", line], tmp_path)
    assert (code, said.splitlines()[-1]) == (0, "deployed")
    (tmp_path / "app.py").write_text(program().replace('    """Ping', '    raise OSError\n    """Ping'))
    code, said = well.run(["sh", "-c", line], tmp_path)
    assert (code, said.splitlines()[-1]) == (1, "failed: database")
