"""`asgi-health manifest`: which app it reads, what it refuses, and what starts with the commands that it prints."""

import sys
from pathlib import Path

import pytest
import yaml

from asgi_health.cli.main import main
from asgi_health.cli.manifest.address import Instance, at, parse_instance
from asgi_health.cli.manifest.servers import SERVERS, Server, command, reached_by_signals
from benchmarks.rolling.app import Settings
from benchmarks.rolling.backend import held_port, launched

from ..servers.process import wait_for_boot
from ..servers.servers import Server as ServedBy
from .command import Completed, run

PRELUDE = """
from asgi_health import Drain, Health, HealthMiddleware, Listener

async def plain(scope, receive, send):
    open("started", "w").close()
"""
APPS = {
    "around": ("app = HealthMiddleware(plain, listener=Listener('0.0.0.0:9000'), drain=Drain(delay=8.0))", "shop:app"),
    "added to FastAPI": (
        "from fastapi import FastAPI\napp = FastAPI()\n"
        "app.add_middleware(HealthMiddleware, listener=Listener('0.0.0.0:9000'), drain=Drain(delay=8.0))",
        "shop:app",
    ),
    "made by a factory": (
        "def make():\n    return HealthMiddleware(plain, listener=Listener('0.0.0.0:9000'), drain=Drain(delay=8.0))",
        "shop:make()",
    ),
}


def manifest(folder: Path, code: str, *arguments: str) -> Completed:
    """Write the module `shop`, and run the command in its folder."""
    (folder / "shop.py").write_text(PRELUDE + code)
    return run("manifest", *arguments, cwd=folder)


@pytest.mark.parametrize("kind", APPS)
def test_the_app_is_read_and_not_started(kind: str, tmp_path: Path) -> None:
    code, target = APPS[kind]
    completed = manifest(tmp_path, code, "kubernetes", target, "--port", "8888", "--longest-request", "2")
    assert (completed.code, completed.err) == (0, "")
    deployment, _ = yaml.safe_load_all(completed.out)
    pod = deployment["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 8 + 2 + 5
    assert [each["containerPort"] for each in pod["containers"][0]["ports"]] == [8888, 9000]
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("app = plain", "shop:app has no HealthMiddleware, neither around it nor inside it"),
        ("app = Health()", "shop:app is a Health, which has no paths; name the app with its HealthMiddleware"),
        (
            "app = HealthMiddleware(plain, listener=Listener('0.0.0.0:8000'))",
            "--port 8000 is the port of the app's Listener; the app needs one of its own",
        ),
        ("1 / 0", "importing shop failed: ZeroDivisionError: division by zero"),
    ],
    ids=["no middleware", "a Health", "the port of the listener", "a crash"],
)
def test_an_app_that_cannot_be_read_is_an_error_in_one_line(code: str, reason: str, tmp_path: Path) -> None:
    completed = manifest(tmp_path, code, "haproxy", "shop:app")
    assert (completed.code, completed.out) == (2 if "--port" in reason else 1, "")
    assert completed.line == f"python -m asgi_health manifest: {reason}"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nomad", "shop:app"], "invalid choice: 'nomad'"),
        (["haproxy", "shop"], "'shop': expected module:app or module:factory(), such as shop:app"),
        (["haproxy", "shop:app", "--port", "0"], "0 is not a port (1 to 65535)"),
        (["haproxy", "shop:app", "--startup", "0"], "'0' is not a number of seconds"),
        (["haproxy", "shop:app", "--host", "a b"], "'a b' is not an address: expected HOST or HOST:PORT"),
        (["kubernetes", "shop:app()", "--server", "daphne"], "daphne starts no factory such as shop:app()"),
        (["systemd", "shop:app", "--host", "a", "--host", "b"], "expected one HOST without a port"),
        (["compose", "shop:app", "--host", "a:81"], "--host is where the server of compose listens"),
    ],
    ids=["platform", "app", "port", "seconds", "host", "factory", "two hosts", "a port"],
)
def test_wrong_arguments_are_an_error(arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code: object = main(["manifest", *arguments])
    except SystemExit as exit:
        code = exit.code
    assert code == 2
    assert reason in capsys.readouterr().err


def test_without_the_extra_platforms_with_yaml_name_it_and_the_others_work(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(PRELUDE + "app = HealthMiddleware(plain)")
    program = (
        "import sys; sys.modules['ruamel'] = None; sys.argv[1:] = ['manifest', '{}', 'shop:app'];"
        "from asgi_health.cli.start import start; start()"
    )
    without = run("-c", program.format("envoy"), command=(sys.executable,), cwd=tmp_path)
    assert (without.code, without.out) == (2, "")
    assert without.line.endswith('manifest: ruamel.yaml is not installed; try: pip install "asgi-health[manifest]"')
    assert run("-c", program.format("nginx"), command=(sys.executable,), cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    ("text", "instance"),
    [
        ("10.0.0.4", Instance("10.0.0.4")),
        ("shop-1.example:81", Instance("shop-1.example", 81)),
        ("[::1]:81", Instance("::1", 81)),
        ("[::1]", Instance("::1")),
        ("fe80::1", Instance("fe80::1")),
    ],
)
def test_an_instance_is_a_host_with_or_without_a_port(text: str, instance: Instance) -> None:
    assert parse_instance(text) == instance
    if instance.port is not None:
        assert at(instance.host, instance.port) == text


@pytest.mark.parametrize("text", ["", ":81", "a:", "a:0", "a:65536", "[::1", "[::1]81", "a;b", "a\nb", "a{b"])
def test_what_is_no_instance_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_instance(text)


@pytest.mark.parametrize(
    "server", [reached_by_signals(each) for each in SERVERS.values()], ids=lambda server: server.name
)
def test_a_printed_command_starts_the_app_and_stops_at_sigterm(server: Server) -> None:
    with held_port() as (host, port):
        words = command(server, "benchmarks.rolling.target:app", host, port, delay=0.2, longest_request=1.0)
        served_by = ServedBy(server.name, tuple(words), lifespan=server.has_lifespan)
        with launched(served_by, (host, port), Settings(drain={"delay": 0.2})) as running:
            wait_for_boot(running)
            assert running.status("/health/ready") == 200
            running.stop().assert_quiet()


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("uvicorn", ["uvicorn", "--factory", "shop:make", "--host"]),
        ("granian", ["granian", "--factory", "shop:make", "--interface"]),
        ("gunicorn", ["gunicorn", "shop:make()", "--worker-class"]),
        ("hypercorn", ["hypercorn", "shop:make()", "--bind"]),
    ],
)
def test_each_server_is_given_a_factory_in_its_own_way(name: str, begins: list[str]) -> None:
    words = command(SERVERS[name], "shop:make()", "::1", 8000, delay=0.0, longest_request=1.0)
    assert words[: len(begins)] == begins
    assert {"::1", "[::1]:8000"} & set(words)


@pytest.mark.parametrize("name", ["gunicorn", "granian"])
def test_a_parent_that_kills_workers_gives_them_the_time_of_the_drain_and_of_the_longest_request(name: str) -> None:
    # It counts from the signal on, whatever the drain of the worker does: see tests/servers/test_grace.py.
    words = command(SERVERS[name], "shop:app", "127.0.0.1", 8000, delay=10.0, longest_request=30.0)
    assert words[-2:] == [{"gunicorn": "--graceful-timeout", "granian": "--workers-kill-timeout"}[name], "40"]
