"""docs/how-to/transitions.md: its program prints what the page shows."""

import subprocess
import sys

import pytest

from .blocks import blocks


@pytest.mark.processes
def test_the_program_prints_the_transitions_that_the_page_shows() -> None:
    _, program = blocks("python", "how-to/transitions.md")
    (output,) = blocks("text", "how-to/transitions.md")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60.0, check=True)
    assert done.stdout == output
