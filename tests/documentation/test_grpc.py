"""docs/how-to/grpc.md: its program prints what the page shows, and Envoy accepts its configuration."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..checks.port import reserved_port
from ..rolling.envoy import NEEDED, missing, program
from .blocks import BLOCKS, blocks

PAGE = "how-to/grpc.md"


@pytest.mark.processes
def test_the_program_prints_the_statuses_that_the_page_shows() -> None:
    (block,) = (block for block in BLOCKS if block.page == PAGE and "asyncio.run(" in block.text)
    with reserved_port() as port:
        command = [sys.executable, "-c", block.moved(port, Path())]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=True)
    assert [done.stdout] == blocks("text", PAGE)


@pytest.mark.processes
def test_envoy_accepts_the_configuration_as_the_page_shows(tmp_path: Path) -> None:
    if reason := missing():
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    (config,) = (text for text in blocks("yaml", PAGE) if "grpc_health_check" in text)
    (session,) = blocks("console", PAGE)
    command, _, output = session.partition("\n")
    (tmp_path / "envoy.yaml").write_text(config)
    done = subprocess.run(
        [program() or NEEDED, *command.removeprefix("$ envoy ").split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60.0,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == output
