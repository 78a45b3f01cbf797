"""The pages about gRPC: the program prints what is shown, Envoy accepts the configuration, each option is there."""

import os
import re
import subprocess
import sys
from inspect import Parameter, signature
from pathlib import Path

import pytest

from asgi_health.integrations.grpc import Grpc

from ..checks.port import reserved_port
from ..rolling.envoy import NEEDED, missing, program
from .blocks import BLOCKS, ROOT, blocks

PAGE = "how-to/grpc.md"


def test_the_reference_has_each_option_and_its_default() -> None:
    text = (ROOT / "docs" / "reference/grpc.md").read_text().partition("\n## Options\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (?:`(.*?)`)? ?\|", text, re.MULTILINE)
    shown = {name: eval(default) if default else Parameter.empty for name, default in rows}
    assert shown == {name: each.default for name, each in signature(Grpc).parameters.items()}


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
