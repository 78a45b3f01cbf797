"""The terminals of a reader who follows a tutorial: its blocks are files to write and commands to run, in order.

- `<!-- file: shop.py -->` writes the block to that file.
- A `console` block runs each command in bash until it ends. The output is what the page shows.
- `<!-- repeat: until this is printed -->` repeats each command of such a block: the page says that it takes a while.
- `<!-- terminal: shop -->` is a terminal of its own, in which a server runs. Below a command the block shows the lines
  that the server prints first. A `text` block of that terminal shows lines that it prints later. One that begins with
  `^C` interrupts the server, and shows what it prints then. Where a page shows nothing, a server prints nothing.
- A block with `pip install` prepares the environment, as the gate has done. Its packages must be in pyproject.toml.

Ports become free ones: in commands, in files, and in a file that a command prints. transcript.py lists what may differ.
"""

import os
import re
import signal
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.checks.port import reserved_port
from tests.cli.manifest import PATH, tool
from tests.support.waiting import wait_until

from .blocks import ROOT, Block
from .transcript import comparable, steps

PORTS = (8000, 8001, 8002, 8080, 8090, 9091)
"""The ports of the pages: the shop and its instances, HAProxy, the receiver of alerts, Prometheus."""
INSTALLED = {"curl": "curl", "haproxy": "haproxy", "prometheus": "prometheus", "promtool": "prometheus"}
"""Programs of the pages that are no part of Python, and their packages in Debian."""
PREPARATIONS = {"mkdir shop && cd shop", "python3 -m venv .venv", ". .venv/bin/activate"}
"""What a block with `pip install` may hold too."""


@dataclass
class Terminal:
    """A server in the foreground of a terminal."""

    process: subprocess.Popen[bytes]
    output: Path
    shows: bool
    """Whether the page shows anything that it prints."""

    def interrupt(self) -> None:
        """Send SIGINT to the foreground process group, as a terminal does at Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)


class Session:
    """Runs the blocks of a page in one folder."""

    def __init__(self, folder: Path, ports: Mapping[int, int]) -> None:
        self._folder = folder
        self._ports = ports
        self._terminals: dict[str, Terminal] = {}
        self._processes: dict[str, str] = {}
        """The numbers of processes on the page, with those of this run."""
        settings = folder / ".settings"
        settings.mkdir()
        # curl shows its progress where its output is no terminal.
        (settings / ".curlrc").write_text("silent\nshow-error\n")
        self._environment = os.environ | {
            "CURL_HOME": str(settings),
            "PATH": PATH,
            "PYTHONUNBUFFERED": "1",
            "UVICORN_PORT": str(ports[8000]),  # the default of uvicorn; `--port` comes first
        }

    def run(self, block: Block) -> None:
        """Do what a block says, and compare what it shows."""
        if block.file:
            self.write(block)
        elif block.terminal:
            self._run_in_terminal(block)
        elif "\n$ pip install" in f"\n{block.text}":
            assert_installed(block)
        else:
            assert block.language == "console", f"{block} is neither run nor written"
            for command, shown in steps(block.text):
                self._run_until_it_ends(block, command, shown)

    def write(self, block: Block) -> None:
        """Write the file that a block is."""
        (self._folder / block.file).write_text(self._moved(block.text))

    def execute(self, command: str) -> str:
        """Run a command until it ends, and return what it prints."""
        output = self._folder / ".settings" / "output"
        process = self._start(command, output)
        # The terminals are asked too, so that the process of a server that has ended is gone, as in a shell.
        servers = [each.process for each in self._terminals.values()]
        try:
            wait_until(lambda: [each.poll() for each in [*servers, process]][-1] is not None, f"{command!r} ends", 60.0)
        finally:
            kill(process)
        for name in re.findall(r" > (\S+)$", command):
            printed = self._folder / name
            printed.write_text(self._moved(printed.read_text()))
        return output.read_text()

    def end(self) -> None:
        """Check that the page has ended all servers."""
        for name, terminal in self._terminals.items():
            assert terminal.process.poll() is not None, f"the page does not end {name!r}"

    def kill(self) -> None:
        for terminal in self._terminals.values():
            kill(terminal.process)

    def _run_until_it_ends(self, block: Block, command: str, shown: str) -> None:
        if block.repeat:
            printed = ""

            def prints_it() -> bool:
                nonlocal printed
                printed = self.execute(command)
                return self._comparable(printed) == self._comparable(shown)

            wait_until(prints_it, lambda: f"{block}: {command!r} prints\n{shown}but\n{printed}")
        else:
            printed = self.execute(command)
            same = self._comparable(printed) == self._comparable(shown)
            assert same, f"{block}: {command!r} prints\n{shown}but\n{printed}"

    def _run_in_terminal(self, block: Block) -> None:
        if block.language == "text":
            self._follow(block)
        for command, shown in steps(block.text):
            self._serve(block, command, shown)

    def _serve(self, block: Block, command: str, shown: str) -> None:
        """Start a server and wait until it prints the shown lines first."""
        before = self._terminals.get(block.terminal)
        if before is not None:
            wait_until(lambda: before.process.poll() is not None, f"{block}: the server before has ended")
        output = self._folder / ".settings" / block.terminal
        terminal = self._terminals[block.terminal] = Terminal(self._start(command, output), output, shown.strip() != "")
        expected = self._comparable(shown)
        height = len(shown.strip("\n").splitlines())

        def begins() -> bool:
            # Cut off first: what follows may be a line that is not complete.
            lines = output.read_text().splitlines()[:height]
            return self._comparable("\n".join(lines)) == expected

        wait_until(begins, lambda: f"{block}: {command!r} prints\n{shown}but\n{output.read_text()}")
        numbers = [re.findall(r"process \[(\d+)\]", text) for text in (shown, output.read_text())]
        self._processes.update(zip(*numbers, strict=False))
        assert terminal.process.poll() is None, f"{block}: {command!r} has ended"

    def _follow(self, block: Block) -> None:
        """Wait until a server has printed the lines of a block, at its end where the block interrupts it."""
        terminal = self._terminals[block.terminal]
        lines = block.text.removeprefix("^C\n")
        expected = self._comparable(lines)
        if lines != block.text:
            assert_quiet(block.terminal, terminal)
            before = len(terminal.output.read_bytes())
            terminal.interrupt()
            wait_until(lambda: terminal.process.poll() is not None, f"{block}: Ctrl-C ends it")
            printed = terminal.output.read_bytes()[before:].decode()
            assert self._comparable(printed) == expected, f"{block}: Ctrl-C prints\n{lines}but\n{printed}"
        else:
            wait_until(
                lambda: f"\n{expected}\n" in f"\n{self._comparable(terminal.output.read_text())}\n",
                lambda: f"{block}: it prints\n{lines}but\n{terminal.output.read_text()}",
            )
            terminal.shows = True

    def _start(self, command: str, output: Path) -> subprocess.Popen[bytes]:
        (program, *_) = command.split()
        if program in INSTALLED:
            tool(program, f"apt-get install {INSTALLED[program]}")
        moved = re.sub(r"\b\d+\b", lambda match: self._processes.get(match[0], match[0]), command)
        with output.open("wb") as file:
            return subprocess.Popen(
                ["bash", "-c", self._moved(moved)],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _moved(self, text: str) -> str:
        """Return the text of a page with the ports of this run."""
        moved = re.sub(r"\b\d{4}\b", lambda match: str(self._ports.get(int(match[0]), match[0])), text)
        # A check of HAProxy may be slow on a busy machine: only its answer takes an instance out.
        return moved.replace("timeout check 1000ms", "timeout check 10s")

    def _comparable(self, text: str) -> str:
        return comparable(text, self._ports)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def assert_quiet(name: str, terminal: Terminal) -> None:
    """Check that a server below which the page shows nothing has printed nothing."""
    printed = terminal.output.read_text()
    assert terminal.shows or printed == "", f"{name!r} prints what the page does not show:\n{printed}"


@contextmanager
def opened(folder: Path) -> Iterator[Session]:
    """Yield a session in a folder, on free ports. All that it has started ends with the block."""
    with ExitStack() as stack:
        session = Session(folder, {port: stack.enter_context(reserved_port()) for port in PORTS})
        try:
            yield session
            session.end()
        finally:
            session.kill()


def assert_installed(block: Block) -> None:
    """Check that a block installs packages and extras that pyproject.toml names, and does nothing else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    known = {re.split(r"[^\w-]", each, maxsplit=1)[0] for each in [*extras["test"], project["name"]]}
    for command, shown in steps(block.text):
        assert shown == "", block
        if command in PREPARATIONS:
            continue
        packages = re.sub(r'^pip install |"', "", command).split()
        for package in packages:
            name, _, wanted = package.rstrip("]").partition("[")
            assert name in known, f"{block}: {name}"
            assert not wanted or {*wanted.split(",")} <= {*extras}, f"{block}: {package}"
