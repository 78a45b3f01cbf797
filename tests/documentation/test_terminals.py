"""The runner of sessions finds what a page shows wrongly."""

from pathlib import Path

import pytest

from .blocks import blocks_in
from .terminals import opened
from .transcript import comparable

pytestmark = pytest.mark.processes

SHELL = """\
<!-- file: greeting -->
```text
hello 8000
```

```console
$ cat greeting > copy
$ echo at :8000
at :8000
```

<!-- terminal: server -->
```console
$ trap 'echo bye; exit' INT; echo process [$$]; while true; do sleep 0.01; done
process [17]
```

```console
$ kill -0 17 && echo it runs
it runs
```

<!-- terminal: server -->
```text
^C
bye
```
"""


def run(page: str, folder: Path) -> None:
    with opened(folder) as session:
        for block in blocks_in(page, "page.md"):
            session.run(block)


def test_a_session_writes_files_runs_commands_and_interrupts_servers(tmp_path: Path) -> None:
    run(SHELL, tmp_path)
    text, port = (tmp_path / "greeting").read_text().split()
    assert text == "hello"
    assert port != "8000"
    assert (tmp_path / "copy").read_text() == f"hello {port}\n"


@pytest.mark.parametrize(
    ("right", "wrong", "error"),
    [
        ("at :8000\n```", "at :8001\n```", "'echo at :8000' prints\nat :8001\nbut\nat :"),
        ("^C\nbye", "^C\ngood bye", "Ctrl-C prints\ngood bye\nbut\nbye"),
        ("^C\nbye", "process [17]", "the page does not end 'server'"),
        ("process [17]\n```\n\n```console\n$ kill -0 17 && echo it runs\nit runs", "", "Ctrl-C prints|does not show"),
        ("$ echo at :8000", "$ pip install asgi-health[unknown]", "page.md:7"),
        ("```console\n$ cat", "```sh\n$ cat", "neither run nor written"),
    ],
)
def test_a_page_that_shows_something_else_fails(right: str, wrong: str, error: str, tmp_path: Path) -> None:
    assert right in SHELL
    with pytest.raises(AssertionError, match=error.replace("[", r"\[")):
        run(SHELL.replace(right, wrong), tmp_path)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("141 requests, 42 lost", "9 requests, 1 lost", True),
        ("141 requests, 0 lost", "141 requests, 1 lost", False),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:41234/", True),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:41235/", False),
        ('{"status":"pass"}\n', '{"status":"pass"}', True),
        ('"responseTime": 0.672', '"responseTime": 1.5', True),
        ("unhealthy after 3 failed runs", "unhealthy after 4 failed runs", False),
    ],
)
def test_only_what_is_listed_may_differ(shown: str, printed: str, same: bool) -> None:
    ports = {8000: 41234}
    assert (comparable(printed, ports) == comparable(shown, ports)) is same
