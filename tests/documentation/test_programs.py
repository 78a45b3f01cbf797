"""Every Python program of the pages runs as printed, after the names that its comment lists."""

import ast
import asyncio
import builtins
import inspect
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import pytest

from asgi_health import Check, Status
from asgi_health.checks.heartbeat import Heartbeat
from asgi_health.cli.doctor.settings import Given
from asgi_health.testing import check_once, lifespan, probe
from tests.checks.conftest import GetServer
from tests.checks.port import reserved_port
from tests.checks.servers.server import DATABASE, PASSWORD, USER
from tests.cli.doctor.examine import findings

from .blocks import BLOCKS, ROOT, Block
from .preambles import preamble

PROGRAMS = [block for block in BLOCKS if block.language == "python" and not (block.is_signature or block.quoted)]
OWN_LOOP = "asyncio.run("
"""In programs that print something: the test of their page runs them as a process."""

RUN = [
    block
    for block in PROGRAMS
    if not (block.needs or block.file or "def test_" in block.text or OWN_LOOP in block.text)
]
URLS = {
    "CACHE": ("redis", f"redis://{USER}:{PASSWORD}@127.0.0.1:%d"),
    "DATABASE": ("postgres", f"postgresql://{USER}:{PASSWORD}@127.0.0.1:%d/{DATABASE}"),
    "NATS": ("nats", f"nats://{USER}:{PASSWORD}@127.0.0.1:%d"),
}
"""The names of servers in programs, with the server of the tests and its URL."""
SHOWN = {
    "reference/command.md": {"liveness-dependency"},  # the finding that it prints
    "reference/endpoints.md": {"open-details"},
    "how-to/long-requests.md": {"drain-grace"},
    "how-to/metrics.md": {"forwarded-address"},
}
"""What the doctor finds in programs of a page, because they show that very thing."""
WITH_SERVERS = [block for block in RUN if {*URLS} & {*block.names}]
ALONE = [block for block in RUN if block not in WITH_SERVERS]
TESTS = [block for block in PROGRAMS if "def test_" in block.text and not block.file]
TEST_FILES = [block for block in TESTS if "@pytest.fixture" in block.text]
UNRUN = [block for block in PROGRAMS if block.needs]
SIGNATURES = [block for block in BLOCKS if block.is_signature]


@pytest.fixture
def places() -> Iterator[tuple[int, Path]]:
    """Yield a free port and the path of a socket, to replace those in the programs."""
    modules = {*sys.modules}
    with reserved_port() as port, tempfile.TemporaryDirectory(prefix="asgi-health-") as folder:
        yield port, Path(folder) / "s"
    # BlackSheep refuses a second Application with its default router, and a reader's process has one.
    getattr(sys.modules.get("blacksheep.server.routing"), "_apps_by_router_id", {}).clear()
    for name in {*sys.modules} & {"shop"} - modules:
        del sys.modules[name]


async def run(block: Block, places: tuple[int, Path], given: Mapping[str, object]) -> None:
    """Run a program. If it makes an app, start it and wait until it is ready."""
    names: dict[str, Any] = {name: given.get(name) or preamble(name) for name in block.names if name != "async"}
    names["__name__"] = __name__  # of an imported module, because frameworks look up the module of a function
    before = names.get("app")
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if "async" in block.names else 0
    source = block.moved(*places)
    running = eval(compile(source, str(block), "exec", flags=flags, dont_inherit=True), names)
    if inspect.iscoroutine(running):
        await running
    app = names.get("app")
    if app is None or app is before:
        return
    found = {row.rule for row in findings(app, Given(), {})}
    assert found <= SHOWN.get(block.page, set()), "the doctor finds a fault in a program of the documentation"
    with anyio.fail_after(30.0):
        async with lifespan(app):
            ready = ("/health/ready", "/readyz")  # a program may name one of them
            while 200 not in [(await probe(app, path)).status for path in ready]:  # noqa: ASYNC110  as a prober does
                await anyio.sleep(0.01)


@pytest.mark.parametrize("block", ALONE, ids=str)
def test_a_program_runs_and_its_app_becomes_ready(block: Block, places: tuple[int, Path]) -> None:
    anyio.run(run, block, places, {})


@pytest.mark.parametrize("block", WITH_SERVERS, ids=str)
def test_a_program_with_a_server_runs_and_its_app_becomes_ready(
    block: Block, places: tuple[int, Path], get_server: GetServer
) -> None:
    servers = {name: URLS[name] for name in block.names if name in URLS}
    given = {name: url % get_server(server).port for name, (server, url) in servers.items()}
    anyio.run(run, block, places, given)


@pytest.mark.parametrize("block", TEST_FILES, ids=str)
def test_a_printed_test_file_passes_with_the_plugin_of_anyio(block: Block, tmp_path: Path) -> None:
    lines = [f"{name} = preamble({name!r})\n" for name in block.names]
    (tmp_path / "conftest.py").write_text("")
    (tmp_path / "test_printed.py").write_text(
        "".join(["from tests.documentation.preambles import preamble\n", *lines, block.text])
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-W",
            "error",
            "-p",
            "no:cacheprovider",
            "-p",
            "anyio",
            "-p",
            "asgi_health.integrations.pytest_plugin",
            "test_printed.py",
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"{block.text.count('def test_')} passed" in done.stdout


@pytest.mark.parametrize("block", [block for block in TESTS if block not in TEST_FILES], ids=str)
def test_a_printed_test_without_fixtures_passes(
    block: Block, places: tuple[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = imported(ast.parse(block.text))
    for program in PROGRAMS:  # of the page, which is the module that the test imports: `# main.py`
        name = program.text.removeprefix("# ").partition(".py")[0]
        if program.page == block.page and name in modules:
            monkeypatch.setitem(sys.modules, name, made := ModuleType(name))
            execute(program, places, vars(made))
    names: dict[str, Any] = {"__name__": __name__}
    execute(block, places, names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == block.text.count("def test_")
    for each in tests:
        anyio.run(each) if inspect.iscoroutinefunction(each) else each()


def execute(block: Block, places: tuple[int, Path], names: dict[str, Any]) -> None:
    """Run a program in the namespace `names`, with what it takes from the reader."""
    names.update((name, preamble(name)) for name in block.names)
    exec(compile(block.moved(*places), str(block), "exec", dont_inherit=True), names)


@pytest.mark.parametrize("block", UNRUN, ids=str)
def test_a_program_that_needs_another_package_compiles_and_its_names_of_asgi_health_exist(block: Block) -> None:
    tree = ast.parse(block.text, str(block))
    compile(tree, str(block), "exec", dont_inherit=True)
    assert {*block.needs} <= imported(tree)
    names = [
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "asgi_health"
        for alias in node.names
    ]
    assert [(module, name) for module, name in names if not hasattr(import_module(str(module)), name)] == []


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_the_comment_lists_exactly_the_names_that_the_program_does_not_define(block: Block) -> None:
    tree = ast.parse(block.text)
    nodes = [*ast.walk(tree)]
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    bound |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    bound |= {
        (alias.asname or alias.name).partition(".")[0]
        for node in nodes
        for alias in getattr(node, "names", ())
        if isinstance(alias, ast.alias)
    }
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    taken = {*block.names} - {"async"}
    assert read - bound - {*dir(builtins)} <= taken
    assert taken <= read | imported(tree)


def imported(tree: ast.AST) -> set[str]:
    """Return the modules that a program imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module)
    return found


@pytest.mark.parametrize("block", SIGNATURES, ids=str)
def test_a_signature_parses(block: Block) -> None:
    ast.parse(f"def {block.text.strip()}: ...")


def test_the_example_in_the_docstring_of_a_heartbeat_beats() -> None:
    # It has no comment above it, because the page is generated from the docstring.
    page = (ROOT / "docs" / "reference/checks.md").read_text()
    (example,) = re.findall(r"^ {4}beat = .*\n(?: {4}.*\n|\n)+", page, re.MULTILINE)
    handled: list[str] = []

    async def main() -> None:
        queue: asyncio.Queue[str] = asyncio.Queue()
        handled_one = asyncio.Event()

        async def handle(item: str) -> None:
            handled.append(item)
            handled_one.set()

        names: dict[str, Any] = {
            "asyncio": asyncio,
            "queue": queue,
            "handle": handle,
            "Heartbeat": Heartbeat,
            "Check": Check,
        }
        exec(compile(textwrap.dedent(example), "docs/reference/checks.md", "exec", dont_inherit=True), names)
        check = Check("consumer", names["beat"].check)
        assert (await check_once(check)).status is Status.UNHEALTHY
        task = asyncio.create_task(names["consume"]())
        queue.put_nowait("item")
        await handled_one.wait()
        assert (await check_once(check)).status is Status.HEALTHY
        task.cancel()

    asyncio.run(main())
    assert handled == ["item"]
