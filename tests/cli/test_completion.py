"""The completion scripts, in real shells."""

import os
import pty
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from asgi_health.cli.main import main

from ..support.waiting import wait_until


def test_without_shtab_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert 'pip install "asgi-health[completion]"' in capsys.readouterr().err


@dataclass(frozen=True)
class Shell:
    """An interactive shell that has loaded the script and prints the prompt ``ready>``."""

    name: str
    command: Callable[[Path, Path], list[str]]
    """(folder, script) -> the command that starts it."""

    def __str__(self) -> str:
        return self.name


def bash(folder: Path, script: Path) -> list[str]:
    (folder / "rc").write_text(f"source {script}\nPS1='ready> '\n")
    return ["bash", "--noprofile", "--rcfile", str(folder / "rc"), "-i"]


def zsh(folder: Path, script: Path) -> list[str]:
    load = f'autoload -U compinit; compinit -u -d {folder}/dump; eval "$(cat {script})"'
    (folder / ".zshrc").write_text(f"{load}\nPS1='ready> '\n")
    return ["zsh", "-o", "no_global_rcs", "-i"]


def fish(folder: Path, script: Path) -> list[str]:
    return ["fish", "--no-config", "-C", f"source {script}; function fish_prompt; echo 'ready> '; end", "-i"]


REAL_SHELLS = [Shell("bash", bash), Shell("zsh", zsh), Shell("fish", fish)]

TYPED = {
    "asgi-health compl\tzs\t\n": "completion zsh",
    # Options after the positional argument: before it, zsh describes the argument at the first TAB.
    "asgi-health probe http://127.0.0.1/ --exp\t200\n": "probe http://127.0.0.1/ --expect-status 200",
    "asgi-health check app:app --allow\t--js\t\n": "check app:app --allow-empty --json",
    "asgi-health aler\tte\tapp:app --mess\ttext --js\t\n": "alert test app:app --message text --json",
}
"""What is typed, and the arguments that the command then gets."""


@pytest.mark.parametrize("typed", TYPED, ids=range(len(TYPED)))
@pytest.mark.parametrize("shell", REAL_SHELLS, ids=str)
def test_the_tab_key_completes_commands_and_options(
    shell: Shell, typed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which(shell.name) is None:
        reason = f"{shell} not found; on Debian: apt-get install {shell}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    assert main(["completion", shell.name]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    stub = tmp_path / "bin" / "asgi-health"
    stub.parent.mkdir()
    stub.write_text(
        f'#!/bin/sh\necho "$*" >{tmp_path}/arguments.new\nmv {tmp_path}/arguments.new {tmp_path}/arguments\n'
    )
    stub.chmod(0o755)
    terminal, terminal_of_shell = pty.openpty()
    output = bytearray()
    environment = {
        "HOME": str(tmp_path),
        "ZDOTDIR": str(tmp_path),
        "PATH": f"{stub.parent}:{os.environ['PATH']}",
        "TERM": "xterm",
    }

    def read() -> None:
        try:
            while data := os.read(terminal, 4096):
                output.extend(data)
        except OSError:  # the shell has closed its end
            pass

    process = subprocess.Popen(
        # setsid makes the terminal the controlling one: fish does not start without.
        ["setsid", "--ctty", *shell.command(tmp_path, script)],
        cwd=tmp_path,
        env=environment,
        stdin=terminal_of_shell,
        stdout=terminal_of_shell,
        stderr=terminal_of_shell,
    )
    os.close(terminal_of_shell)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        wait_until(lambda: b"ready> " in output, "the shell prints its prompt", 30.0)
        os.write(terminal, typed.encode())
        wait_until((tmp_path / "arguments").exists, f"{shell} runs the command", 30.0)
        assert (tmp_path / "arguments").read_text() == f"{TYPED[typed]}\n"
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(terminal)
