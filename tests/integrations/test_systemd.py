"""What a service sends to systemd: real datagrams, on abstract and path sockets, from every event loop."""

import logging
import os
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware, Listener, Probe, Result, Status, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.integrations.systemd import Systemd, notifier
from asgi_health.integrations.systemd.status_line import status_line
from asgi_health.testing import settled

from ..support.app_thread import BOTH, LOOPS, Blocked, loop_of, our_threads, running_app, starting_app
from ..support.asgi_caller import ask, echo_nothing
from ..support.lifespan_apps import ReceiveEvent, SendEvent, lifespan_app, make_app
from ..support.lifespan_driver import serving, tasks_and_threads
from ..support.notify_receiver import Receiver, receiving
from ..support.waiting import wait_until, wait_until_async

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "SYSTEMD_EXEC_PID")
WATCHDOG = 0.4  # seconds
WORKER_WATCHDOG = 1.0  # seconds: long enough for a busy machine, where a loop may be late and its watching thread not
USEC = str(int(WATCHDOG * 1_000_000))
FIELD = re.compile(
    r"READY=1|STOPPING=1|WATCHDOG=(1|trigger)|WATCHDOG_USEC=0|EXTEND_TIMEOUT_USEC=15000000|STATUS=[ -~]{1,450}"
)
BRISK: dict[str, Any] = {"interval": 0.02, "retry_interval": 0.02, "failure_threshold": 1}

Run = Callable[[Callable[[], Any]], None]


@pytest.fixture(params=BOTH)
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def run(loop: str) -> Run:
    backend, options = LOOPS[loop]
    return lambda main: anyio.run(main, backend=backend, backend_options=options)


@pytest.fixture(autouse=True)
def no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["abstract", "path"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The value of NOTIFY_SOCKET."""
    return f"@asgi-health-{os.getpid()}-{time.monotonic_ns()}" if request.param == "abstract" else f"{tmp_path}/notify"


@contextmanager
def service(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Iterator[Receiver]:
    """Set what systemd sets for its main process, and receive its messages, each of which must have valid fields."""
    with receiving(f"@asgi-health-{os.getpid()}-{time.monotonic_ns()}") as receiver:
        monkeypatch.setenv("NOTIFY_SOCKET", receiver.address)
        monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield receiver
        for message in receiver.messages:
            assert all(FIELD.fullmatch(field) for field in message.fields), message


@pytest.fixture
def main_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """The main process of a service without WatchdogSec=."""
    with service(monkeypatch) as receiver:
        yield receiver


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """The main process of a service with WatchdogSec=."""
    with service(monkeypatch, WATCHDOG_USEC=USEC, WATCHDOG_PID=str(os.getpid())) as receiver:
        yield receiver


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A worker process, whose parent is the main process of a service with WatchdogSec=."""
    parent = str(os.getppid())
    usec = str(int(WORKER_WATCHDOG * 1_000_000))
    with service(monkeypatch, WATCHDOG_USEC=usec, WATCHDOG_PID=parent, SYSTEMD_EXEC_PID=parent) as receiver:
        yield receiver


class Switch:
    """A dependency that fails while `message` is not empty."""

    def __init__(self, message: str = "") -> None:
        self.message = message

    async def __call__(self) -> Any:
        return unhealthy(self.message) if self.message else True


def application(*checks: Check, **options: Any) -> HealthMiddleware:
    return HealthMiddleware(lifespan_app, checks, integrations=[Systemd()], **options)


# -- start


def test_without_a_socket_it_starts_nothing(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="asgi_health")
    plain, integration = HealthMiddleware(lifespan_app, slow_loop=0), Systemd()

    async def main() -> None:
        async with serving(plain):
            without = len(tasks_and_threads())
            integration.start(plain.health)
            assert len(tasks_and_threads()) == without
            integration.stop()

    run(main)
    (record,) = [each for each in caplog.records if "systemd" in each.message]
    assert record.levelno == logging.DEBUG


def test_it_says_ready_once_in_each_lifespan_when_startup_has_passed(
    run: Run, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = Switch()
    app = application(Check("migrations", migrations, probes=(Probe.STARTUP,), **BRISK))

    async def main() -> None:
        migrations.message = "running"
        async with serving(app):
            await receiver.wait_for_status("not ready: migrations")
            await anyio.sleep(0.3)
            assert len(receiver.times("READY=1")) == before
            migrations.message = ""
            await receiver.wait_for_async("READY=1", before + 1)
            await anyio.sleep(0.3)

    with receiving(address) as receiver:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
        for before in (0, 1):
            run(main)
            assert len(receiver.times("READY=1")) == before + 1
    first_of_each = [status for status in receiver.values("STATUS") if status in ("starting", "ready", "stopping")]
    assert first_of_each == ["starting", "ready", "stopping"] * 2


def test_without_checks_it_is_ready_when_the_app_has_started(run: Run, main_process: Receiver) -> None:
    async def main() -> None:
        async with serving(application()):
            await main_process.wait_for_async("READY=1")

    run(main)


def test_without_lifespan_it_is_ready_after_the_first_request(run: Run, main_process: Receiver) -> None:
    async def main() -> None:
        app = HealthMiddleware(echo_nothing, integrations=[Systemd()])
        await ask(app, "/ordinary")
        await main_process.wait_for_async("READY=1")
        app.integrations[0].stop()

    run(main)


def test_a_program_without_a_server_is_a_service_too(run: Run, main_process: Receiver) -> None:
    async def main() -> None:
        async with Health({"queue": lambda: True}).running(integrations=[Systemd()]):
            await main_process.wait_for_async("READY=1")

    run(main)
    assert main_process.status() == "stopping"


# -- status


def test_the_status_is_the_reason_of_readiness(run: Run, main_process: Receiver) -> None:
    database, cache, search = Switch(), Switch(), Switch()
    app = application(
        Check("database", database, **BRISK),
        Check("cache", cache, critical=False, **BRISK),
        Check("search", search, **BRISK),
    )

    async def main() -> None:
        async with serving(app):
            await main_process.wait_for_status("ready")
            cache.message = "down"
            await main_process.wait_for_status("ready, with a warning: cache")
            database.message = "down"
            await main_process.wait_for_status("not ready: database")
            search.message = "down"
            await main_process.wait_for_status("not ready: database, search")
            cache.message = search.message = ""
            end_of_maintenance = app.health.maintain("database", 60.0, "READY=1")
            await main_process.wait_for_status("ready, with a warning: maintenance of database")
            end_of_maintenance()
            database.message = ""
            await main_process.wait_for_status("ready")
            end_of_maintenance = app.health.maintain(None, 60.0, "READY=1")
            await main_process.wait_for_status("not ready: maintenance")
            end_of_maintenance()
            await main_process.wait_for_status("ready")
            app.health.drain()
            await main_process.wait_for_status("not ready: draining")

    run(main)
    assert main_process.values("STATUS")[-1] == "stopping"


@pytest.mark.parametrize(
    ("critical", "status"),
    [(True, "not ready: no new result of database"), (False, "ready, with a warning: no new result of database")],
)
def test_a_result_that_has_grown_stale_is_in_the_status(critical: bool, status: str) -> None:
    engine = Engine(lambda: 0.0, lambda: 0.5)
    engine.add(Check("database", Switch(), critical=critical), None)
    engine.start("lifespan", 0.0)
    engine.serve(0.0)
    (run,) = engine.due(0.0).start
    engine.record(run, Result(Status.HEALTHY), 0.1)
    assert status_line(engine, 0.1, terminating=False) == "ready"
    engine.pass_on_decay(1000.0)
    assert status_line(engine, 1000.0, terminating=False) == status


def test_while_the_loop_is_blocked_the_status_says_so(loop: str, main_process: Receiver, tmp_path: Path) -> None:
    listener = Listener(f"{tmp_path}/listener", stall_ready=0.5, stall_live=30.0)
    with running_app(application(Check("database", Switch()), listener=listener), loop) as portal:
        main_process.wait_for("READY=1")
        with Blocked(portal):
            wait_until(lambda: main_process.status() == "not ready: the event loop is blocked", "it says so")
        wait_until(lambda: main_process.status() == "ready", "it is ready again")


def test_the_message_of_a_check_is_in_no_field(run: Run, main_process: Receiver) -> None:
    hostile = "gone\nREADY=1\nMAINPID=1\nWATCHDOG=trigger\0\x1b[2J postgresql://shop:hunter2@db/shop \udcff"

    async def main() -> None:
        async with serving(application(Check("database", Switch(hostile), probes=(Probe.STARTUP,), **BRISK))):
            await main_process.wait_for_status("not ready: database")
            await anyio.sleep(0.3)

    run(main)
    assert not main_process.times("READY=1")
    assert "hunter2" not in str(main_process)


def test_a_thousand_checks_that_fail_at_once_make_few_messages_of_one_short_line(
    run: Run, main_process: Receiver
) -> None:
    database = Switch()

    async def main() -> None:
        app = application(*(Check(f"{'n' * 59}{number:04}", database, **BRISK) for number in range(1000)))
        async with serving(app):
            await main_process.wait_for_async("READY=1")
            before = len(main_process.messages)
            database.message = "down"
            await wait_until_async(lambda: " and 995 more" in main_process.status(), str(main_process))
            assert len(main_process.messages) - before < 10
            assert len(main_process.status()) < 450

    run(main)


# -- watchdog


def test_it_beats_twice_within_the_time_of_the_watchdog(run: Run, watched: Receiver) -> None:
    async def main() -> None:
        async with serving(application()):
            await watched.wait_for_async("WATCHDOG=1", 6)

    run(main)
    times = watched.times("WATCHDOG=1")
    # In the mean: a busy machine delays single beats.
    assert WATCHDOG / 4 < (times[-1] - times[0]) / (len(times) - 1) < WATCHDOG * 0.9


def test_a_blocked_loop_sends_no_beat_until_it_runs_again(loop: str, watched: Receiver) -> None:
    with running_app(application(Check("database", Switch())), loop) as portal:
        watched.wait_for("READY=1")
        watched.wait_for("WATCHDOG=1", 3)
        with Blocked(portal):
            before = len(watched.times("WATCHDOG=1"))
            time.sleep(3 * WATCHDOG)
            assert len(watched.times("WATCHDOG=1")) == before
            assert not watched.times("WATCHDOG=trigger")
        watched.wait_for("WATCHDOG=1", before + 2)


def test_a_startup_that_blocks_sends_no_beat_and_is_not_ready(loop: str, watched: Receiver) -> None:
    blocks = threading.Event()

    async def blocking_app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        blocks.wait(20.0)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    def release() -> None:
        wait_until(lambda: watched.status() == "starting", "the status is there before the startup blocks")
        time.sleep(2 * WATCHDOG)
        early.extend(watched.times("WATCHDOG=1") + watched.times("READY=1"))
        blocks.set()

    early: list[float] = []
    releasing = threading.Thread(target=release)
    releasing.start()
    with running_app(HealthMiddleware(blocking_app, integrations=[Systemd()]), loop):
        watched.wait_for("READY=1")
    releasing.join()
    assert not early


def test_without_a_watchdog_it_sends_no_beat(run: Run, main_process: Receiver) -> None:
    async def main() -> None:
        async with serving(application()):
            await main_process.wait_for_async("READY=1")
            await anyio.sleep(0.5)

    run(main)
    assert not main_process.times("WATCHDOG=1")


def test_an_app_that_cancels_every_task_does_not_end_the_beats(watched: Receiver) -> None:
    import asyncio

    async def main() -> None:
        async with serving(application()):
            for task in asyncio.all_tasks():
                if task.get_name().startswith("asgi-health"):
                    task.cancel()
            before = len(watched.times("WATCHDOG=1"))
            await watched.wait_for_async("WATCHDOG=1", before + 3)

    asyncio.run(main())


# -- workers


def test_a_worker_beats_and_names_itself_and_does_not_say_that_the_service_stops(run: Run, worker: Receiver) -> None:
    async def main() -> None:
        async with serving(application()):
            await worker.wait_for_async("READY=1")
            await worker.wait_for_async("WATCHDOG=1", 3)

    run(main)
    assert not worker.times("STOPPING=1")
    assert set(worker.values("STATUS")) == {
        f"worker {os.getpid()}: {text}" for text in ("starting", "ready", "stopping")
    }


def test_a_blocked_worker_asks_for_the_restart_once(loop: str, worker: Receiver) -> None:
    with running_app(application(), loop) as portal:
        worker.wait_for("READY=1")
        for blocked in (1, 2):
            began = time.monotonic()
            with Blocked(portal):
                worker.wait_for("WATCHDOG=trigger", blocked)
                assert worker.times("WATCHDOG=trigger")[-1] - began > WORKER_WATCHDOG / 4
                time.sleep(WORKER_WATCHDOG / 2)  # one more beat would be due
            assert len(worker.times("WATCHDOG=trigger")) == blocked
            beats = len(worker.times("WATCHDOG=1"))
            worker.wait_for("WATCHDOG=1", beats + 2)


def test_a_worker_that_is_blocked_before_it_says_ready_asks_for_the_restart(loop: str, worker: Receiver) -> None:
    released = threading.Event()

    async def block_after_startup(receive: ReceiveEvent, send: SendEvent) -> None:
        assert await receive() == "startup"
        await send("startup.complete")
        released.wait(60.0)
        assert await receive() == "shutdown"
        await send("shutdown.complete")

    app = HealthMiddleware(make_app(block_after_startup), integrations=[Systemd()])
    with loop_of(loop) as portal, starting_app(app, portal):
        worker.wait_for("WATCHDOG=trigger")
        assert not worker.times("READY=1")
        released.set()
        worker.wait_for("READY=1")


def test_a_blocked_worker_that_does_not_serve_asks_for_no_restart(loop: str, worker: Receiver) -> None:
    starting = Switch("running")
    with running_app(application(Check("migrations", starting, probes=(Probe.STARTUP,), **BRISK)), loop) as portal:
        worker.wait_for("WATCHDOG=1", 2)
        with Blocked(portal):
            time.sleep(2 * WORKER_WATCHDOG)
    assert not worker.times("WATCHDOG=trigger")


# -- the end


def test_a_main_process_says_once_that_it_stops(run: Run, main_process: Receiver) -> None:
    async def main() -> None:
        async with serving(application(Check("database", Switch()))):
            await main_process.wait_for_async("READY=1")

    run(main)
    assert len(main_process.times("STOPPING=1")) == 1


def test_a_process_that_cannot_know_whether_it_is_the_main_one_does_not_say_that_it_stops(
    run: Run, main_process: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with serving(application()):
            await main_process.wait_for_async("READY=1")

    monkeypatch.delenv("SYSTEMD_EXEC_PID")
    run(main)
    assert main_process.status() == "stopping"
    assert not main_process.times("STOPPING=1")


def test_after_the_last_beat_of_a_main_process_that_stops_the_watchdog_ends(run: Run, watched: Receiver) -> None:
    async def main() -> None:
        async with serving(application()):
            await watched.wait_for_async("WATCHDOG=1", 2)

    run(main)
    assert watched.messages[-1].fields == ("WATCHDOG_USEC=0",)


def test_a_drain_without_a_signal_does_not_say_that_it_stops(run: Run, main_process: Receiver) -> None:
    async def main() -> None:
        app = application(Check("database", Switch()))
        async with serving(app):
            await main_process.wait_for_async("READY=1")
            app.health.drain()
            await main_process.wait_for_status("not ready: draining")
            await anyio.sleep(1.0)
            assert not main_process.times("STOPPING=1")
            assert not main_process.values("EXTEND_TIMEOUT_USEC")

    run(main)


def test_after_the_end_there_are_no_tasks_threads_or_subscriptions_of_it(run: Run, worker: Receiver) -> None:
    async def main() -> None:
        before = tasks_and_threads()
        app = application()
        for _ in range(2):
            async with serving(app):
                await worker.wait_for_async("WATCHDOG=1")
            await wait_until_async(lambda: tasks_and_threads() <= before, lambda: str(tasks_and_threads() - before))

    run(main)


def test_a_second_start_replaces_the_first(run: Run, watched: Receiver) -> None:
    async def main() -> None:
        health, integration = Health(), Systemd()
        async with health.running():
            for _ in range(3):
                integration.start(health)
            await settled(health)
            await watched.wait_for_async("WATCHDOG=1", 8)
            integration.stop()
            integration.stop()
            assert not [each for each in our_threads() if "Notifier" in each.name and not each.daemon]

    run(main)
    times = watched.times("WATCHDOG=1")[-5:]
    assert (times[-1] - times[0]) / 4 > WATCHDOG / 4


# -- sockets and values that do not work


def test_a_clock_that_raises_ends_neither_the_beats_nor_the_status(
    run: Run, watched: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise OSError("no clock")

    async def main() -> None:
        app = application(Check("database", Switch()))
        async with serving(app):
            await watched.wait_for_async("READY=1")
            with monkeypatch.context() as patch:
                patch.setattr(notifier, "status_line", fail)
                app.health.drain()
                text = "systemd: no message can be made"
                await wait_until_async(lambda: text in caplog.text, "it is logged")
                await anyio.sleep(2 * WATCHDOG)
            assert caplog.text.count(text) == 1
            await watched.wait_for_async("WATCHDOG=1", len(watched.times("WATCHDOG=1")) + 2)
            await watched.wait_for_status("not ready: draining")

    run(main)


def test_what_the_socket_did_not_take_comes_when_it_does(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="asgi_health")
    address = f"{tmp_path}/notify"
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))

    async def main() -> None:
        app = application(Check("database", Switch()))
        async with serving(app):
            await settled(app.health)
            await anyio.sleep(0.3)
            # The socket is absent, there, without a receiver, replaced by another one.
            with receiving(address) as receiver:
                await receiver.wait_for_async("READY=1")
                assert receiver.status() == "ready"
            app.health.drain()
            await anyio.sleep(0.3)
            os.unlink(address)
            with receiving(address) as receiver:
                await receiver.wait_for_status("not ready: draining")

    run(main)
    texts = [each.message for each in caplog.records if each.message.startswith("systemd")]
    assert texts[0].startswith("systemd: the socket takes no message: [Errno 2]")
    assert texts[1].startswith("systemd: the socket takes messages again, after ")
    assert len(texts) == 2


def test_a_full_socket_delays_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address = f"{tmp_path}/notify"
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "20000")  # a hundred beats in a second
    runs: list[float] = []

    async def main() -> None:
        async with serving(application(Check("database", lambda: runs.append(1.0), **BRISK))):
            await wait_until_async(lambda: "takes no message" in caplog.text, "the socket is full")
            before = len(runs)
            await wait_until_async(lambda: len(runs) > before + 20, "the checks run")
            # Emptied, it takes messages again.
            while not is_empty(receiver):
                receiver.recv(4096)
            await wait_until_async(lambda: not is_empty(receiver), "a beat comes")

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        fill(address)
        run(main)


def fill(address: str) -> None:
    """Send to `address` until its queue is full. One socket alone may reach its own limit before that."""
    sent = True
    while sent:
        sent = False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(BlockingIOError):
            sender.setblocking(False)
            while True:
                sender.sendto(b"READY=0", address)
                sent = True


def is_empty(receiver: socket.socket) -> bool:
    poll = select.poll()
    poll.register(receiver, select.POLLIN)
    return not poll.poll(0)


@pytest.mark.parametrize(
    ("variables", "warning", "ready", "beats"),
    [
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, "NOTIFY_SOCKET is 'vsock:2:1234'; expected an absolute path", False, False),
        ({"NOTIFY_SOCKET": "run/notify"}, "NOTIFY_SOCKET is 'run/notify'; expected an absolute path", False, False),
        ({"NOTIFY_SOCKET": "@"}, "NOTIFY_SOCKET is '@'; expected an absolute path", False, False),
        ({"NOTIFY_SOCKET": f"/{'n' * 200}"}, "the socket takes no message: AF_UNIX path too long", False, False),
        ({"WATCHDOG_USEC": "ten"}, "WATCHDOG_USEC is 'ten'; expected a whole number above 0", True, False),
        ({"WATCHDOG_USEC": "0"}, "WATCHDOG_USEC is '0'; expected a whole number above 0", True, False),
        ({"WATCHDOG_USEC": "-5"}, "WATCHDOG_USEC is '-5'; expected a whole number above 0", True, False),
        ({"WATCHDOG_USEC": "9" * 5000}, "expected a whole number above 0", True, False),
        ({"WATCHDOG_USEC": USEC, "WATCHDOG_PID": "me"}, "WATCHDOG_PID is 'me'; expected a whole number", True, False),
        ({"WATCHDOG_USEC": USEC, "WATCHDOG_PID": "1"}, "WATCHDOG_PID is 1; expected this process", True, False),
        ({"WATCHDOG_USEC": USEC, "SYSTEMD_EXEC_PID": "x"}, "SYSTEMD_EXEC_PID is 'x'; expected a whole", True, True),
        ({"WATCHDOG_USEC": USEC}, "", True, True),
        ({"WATCHDOG_USEC": str(2**64 - 1)}, "", True, False),
    ],
    ids=lambda value: None if isinstance(value, bool) else "",
)
def test_a_value_that_systemd_does_not_set_is_logged_and_harms_nothing(
    variables: dict[str, str],
    warning: str,
    ready: bool,
    beats: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        app = application(Check("database", Switch()))
        async with serving(app):
            await settled(app.health)
            if ready:
                await receiver.wait_for_async("READY=1")
            await anyio.sleep(0.3 if not beats else 0.0)
            if beats:
                await receiver.wait_for_async("WATCHDOG=1", 2)

    with service(monkeypatch) as receiver:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        anyio.run(main)
    warnings = [each.message for each in caplog.records if each.levelno >= logging.WARNING]
    assert len(warnings) == bool(warning)
    assert all(warning in each for each in warnings)
    assert bool(receiver.times("READY=1")) == ready
    assert bool(receiver.times("WATCHDOG=1")) == beats
