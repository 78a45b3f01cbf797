"""The handler of SIGTERM: in front of handlers of Python, and of event loops that read the wakeup descriptor."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from asgi_health.runtime.drain.sigterm import CannotHandle, SigtermHandler

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="a test of POSIX signals")


class Loop:
    """The descriptors of an event loop that receives the numbers of signals."""

    def __init__(self) -> None:
        self.reading, self.writing = socket.socketpair()
        self.reading.setblocking(False)
        self.writing.setblocking(False)

    def set_wakeup_fd(self) -> None:
        signal.set_wakeup_fd(self.writing.fileno(), warn_on_full_buffer=False)

    def received(self) -> bytes:
        try:
            return self.reading.recv(100)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        self.reading.close()
        self.writing.close()


@pytest.fixture
def server() -> Iterator[list[int]]:
    """What a server with its own handler of SIGTERM has received."""
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    descriptor = signal.set_wakeup_fd(-1)
    yield received
    signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def monitor() -> Iterator[Loop]:
    """The descriptor of the monitor thread."""
    monitor = Loop()
    yield monitor
    monitor.close()


class Delay:
    """Whether each of the next signals is delayed, as `on_sigterm`."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)

    def __call__(self) -> bool:
        return self.answers.pop(0)


def sigterm() -> None:
    signal.raise_signal(signal.SIGTERM)


@pytest.mark.usefixtures("server")
def test_the_first_signal_is_delayed_and_the_second_goes_through(server: list[int], monitor: Loop) -> None:
    handler = SigtermHandler(monitor.writing.fileno(), Delay(True, False))
    handler.install()
    sigterm()
    assert server == []
    sigterm()
    assert server == [signal.SIGTERM]
    assert not handler.installed


def test_after_a_signal_went_through_the_original_handlers_are_restored(
    server: list[int], monitor: Loop, loop: Loop
) -> None:
    loop.set_wakeup_fd()
    original = signal.getsignal(signal.SIGTERM)
    handler = SigtermHandler(monitor.writing.fileno(), Delay(False))
    handler.install()
    sigterm()
    assert signal.getsignal(signal.SIGTERM) is original
    assert signal.set_wakeup_fd(-1) == loop.writing.fileno()


def test_remove_restores_the_original_handlers(server: list[int], monitor: Loop, loop: Loop) -> None:
    loop.set_wakeup_fd()
    original = signal.getsignal(signal.SIGTERM)
    handler = SigtermHandler(monitor.writing.fileno(), Delay())
    handler.install()
    assert signal.getsignal(signal.SIGTERM) is not original
    handler.remove()
    handler.remove()
    assert signal.getsignal(signal.SIGTERM) is original
    assert signal.set_wakeup_fd(-1) == loop.writing.fileno()
    sigterm()
    assert server == [signal.SIGTERM]


def test_a_loop_that_reads_the_wakeup_descriptor_receives_a_signal_only_when_it_goes_through(
    server: list[int], monitor: Loop, loop: Loop
) -> None:
    loop.set_wakeup_fd()
    handler = SigtermHandler(monitor.writing.fileno(), Delay(True, False))
    handler.install()
    sigterm()
    handler.forward(monitor.received())
    assert loop.received() == b""
    sigterm()
    handler.forward(monitor.received())
    assert loop.received() == bytes([signal.SIGTERM])


def test_other_signals_are_forwarded_to_the_loop(server: list[int], monitor: Loop, loop: Loop) -> None:
    loop.set_wakeup_fd()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    try:
        handler = SigtermHandler(monitor.writing.fileno(), Delay())
        handler.install()
        signal.raise_signal(signal.SIGUSR1)
        assert loop.received() == b""
        handler.forward(b"\0" + monitor.received())
        assert loop.received() == bytes([signal.SIGUSR1])
        handler.remove()
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("server")
def test_where_no_loop_reads_a_wakeup_descriptor_none_is_set(monitor: Loop) -> None:
    handler = SigtermHandler(monitor.writing.fileno(), Delay())
    handler.install()
    handler.reinstall()
    assert signal.set_wakeup_fd(-1) == -1
    handler.remove()
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.usefixtures("server")
def test_after_a_loop_has_set_its_descriptor_again_it_is_replaced_again(monitor: Loop, loop: Loop) -> None:
    """uvloop sets it each time its loop is run."""
    handler = SigtermHandler(monitor.writing.fileno(), Delay(True))
    handler.install()
    loop.set_wakeup_fd()
    handler.reinstall()
    sigterm()
    handler.forward(monitor.received())
    assert loop.received() == b""
    handler.remove()
    assert signal.set_wakeup_fd(-1) == loop.writing.fileno()


def test_a_handler_that_is_set_later_is_replaced_and_gets_the_signal_that_goes_through(
    server: list[int], monitor: Loop
) -> None:
    handler = SigtermHandler(monitor.writing.fileno(), Delay(True, False))
    handler.install()
    other: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: other.append(number))
    handler.reinstall()
    sigterm()
    assert other == []
    sigterm()
    assert (other, server) == ([signal.SIGTERM], [])


def test_handlers_that_call_each_other_end(server: list[int], monitor: Loop) -> None:
    handler = SigtermHandler(monitor.writing.fileno(), Delay(False))
    handler.install()
    installed = signal.getsignal(signal.SIGTERM)
    assert callable(installed)
    chained: list[int] = []

    def chain(number: int, frame: object) -> None:
        chained.append(number)
        installed(number, None)

    signal.signal(signal.SIGTERM, chain)
    handler.reinstall()
    sigterm()
    assert (chained, server) == ([signal.SIGTERM], [signal.SIGTERM])


def test_a_handler_that_calls_this_one_stays_installed_after_remove_and_reaches_the_original(
    server: list[int], monitor: Loop
) -> None:
    handler = SigtermHandler(monitor.writing.fileno(), Delay())
    handler.install()
    installed = signal.getsignal(signal.SIGTERM)
    assert callable(installed)

    def chain(number: int, frame: object) -> None:
        installed(number, None)

    signal.signal(signal.SIGTERM, chain)
    handler.remove()
    assert signal.getsignal(signal.SIGTERM) is chain
    sigterm()
    assert server == [signal.SIGTERM]


@pytest.mark.usefixtures("server")
def test_a_full_descriptor_of_a_loop_is_no_error(monitor: Loop, loop: Loop) -> None:
    loop.set_wakeup_fd()
    handler = SigtermHandler(monitor.writing.fileno(), Delay())
    handler.install()
    for _ in range(1000):
        handler.forward(bytes([signal.SIGUSR1]) * 1000)
    handler.remove()


def in_a_thread(call: Callable[[], None]) -> BaseException | None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised[0] if raised else None


@pytest.mark.usefixtures("server")
def test_install_outside_of_the_main_thread_is_refused_and_changes_nothing(monitor: Loop) -> None:
    original = signal.getsignal(signal.SIGTERM)
    error = in_a_thread(SigtermHandler(monitor.writing.fileno(), Delay()).install)
    assert isinstance(error, CannotHandle)
    assert "main thread" in str(error)
    assert signal.getsignal(signal.SIGTERM) is original


@pytest.mark.usefixtures("server")
def test_remove_in_another_thread_has_no_effect(monitor: Loop) -> None:
    handler = SigtermHandler(monitor.writing.fileno(), Delay())
    handler.install()
    assert in_a_thread(handler.remove) is None
    assert handler.installed
    handler.remove()
    assert not handler.installed


@pytest.mark.usefixtures("server")
def test_install_is_refused_where_sigterm_is_ignored(monitor: Loop) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with pytest.raises(CannotHandle, match="nothing in this worker process listens"):
        SigtermHandler(monitor.writing.fileno(), Delay()).install()


@pytest.mark.usefixtures("server")
def test_install_is_refused_in_a_worker_that_is_stopped_by_other_means(
    monitor: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """hypercorn's workers; they have no handler of SIGTERM either."""
    monkeypatch.setattr("multiprocessing.process.parent_process", object)  # as in a child of multiprocessing
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(CannotHandle, match="nothing in this worker process listens"):
            SigtermHandler(monitor.writing.fileno(), Delay()).install()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_worker_that_ignores_ctrl_c_and_handles_sigterm_drains(
    server: list[int], monitor: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multiprocessing.process.parent_process", object)  # as in a child of multiprocessing
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    handler = SigtermHandler(monitor.writing.fileno(), Delay(True, False))
    try:
        handler.install()
        sigterm()
        assert server == []
        sigterm()
        assert server == [signal.SIGTERM]
    finally:
        handler.remove()
        signal.signal(signal.SIGINT, before)


def test_two_handlers_in_one_process_do_not_replace_each_other(server: list[int], loop: Loop) -> None:
    """Those of an app and of one that is mounted in it. The loop's descriptor is restored at the end."""
    loop.set_wakeup_fd()
    outer, inner = Loop(), Loop()
    handlers = [SigtermHandler(each.writing.fileno(), Delay(True, False, False)) for each in (outer, inner)]
    for handler in handlers:
        handler.install()
    for _ in range(3):
        for handler in handlers:
            handler.reinstall()
    sigterm()
    for handler, each in zip(handlers, (outer, inner), strict=True):
        handler.forward(each.received())
    assert (server, loop.received()) == ([], b"")
    sigterm()
    assert server == [signal.SIGTERM]
    for handler in handlers:
        handler.remove()
    assert signal.set_wakeup_fd(-1) == loop.writing.fileno()
    outer.close()
    inner.close()


# -- a delayed signal is passed on once, by the last handler


@pytest.fixture
def handlers(server: list[int]) -> Iterator[list[SigtermHandler]]:
    """Two that delay the first signal and no other."""
    loops = [Loop(), Loop()]
    handlers = [SigtermHandler(each.writing.fileno(), Delay(True, False)) for each in loops]
    for handler in handlers:
        handler.install()
    yield handlers
    for handler in handlers:
        handler.remove()
    for each in loops:
        each.close()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("removed", [(), (0,), (1,), (0, 1)], ids=str)
def test_the_last_of_two_handlers_passes_the_signal_on(
    order: tuple[int, int], removed: tuple[int, ...], server: list[int], handlers: list[SigtermHandler]
) -> None:
    """`removed`: those that are removed during the delay, because the server has begun to stop by itself."""
    sigterm()
    for number in removed:
        handlers[number].remove()
    first, last = (handlers[number] for number in order)
    first.pass_on()
    first.pass_on()
    assert server == []
    last.pass_on()
    assert server == [signal.SIGTERM]
    for handler in handlers:
        handler.pass_on()
    assert server == [signal.SIGTERM]


def test_another_thread_may_pass_the_signal_on(server: list[int], handlers: list[SigtermHandler]) -> None:
    sigterm()
    for handler in handlers:
        assert in_a_thread(handler.pass_on) is None
    assert server == [signal.SIGTERM]


def test_where_no_signal_is_delayed_none_is_passed_on(server: list[int], handlers: list[SigtermHandler]) -> None:
    for handler in handlers:
        handler.pass_on()
    assert server == []


def test_a_signal_that_went_through_meanwhile_is_not_passed_on_again(
    server: list[int], handlers: list[SigtermHandler]
) -> None:
    sigterm()
    sigterm()
    assert server == [signal.SIGTERM]
    for handler in handlers:
        handler.pass_on()
    assert server == [signal.SIGTERM]


def test_a_handler_installed_during_the_delay_does_not_delay_what_is_passed_on(
    server: list[int], monitor: Loop, loop: Loop
) -> None:
    """That of a mounted app whose first request comes during the drain."""
    first = SigtermHandler(monitor.writing.fileno(), Delay(True))
    first.install()
    sigterm()
    second = SigtermHandler(loop.writing.fileno(), Delay())
    second.install()
    first.pass_on()
    assert server == [signal.SIGTERM]
    second.remove()


def test_a_signal_goes_through_when_on_sigterm_raises(server: list[int], monitor: Loop) -> None:
    def broken() -> bool:
        raise ValueError("an error of the callback")

    SigtermHandler(monitor.writing.fileno(), broken).install()
    sigterm()
    assert server == [signal.SIGTERM]


@pytest.mark.parametrize("other", [True, False])
def test_a_delay_that_ends_before_the_next_handler_is_asked_loses_no_signal(
    other: bool, server: list[int], monitor: Loop, loop: Loop
) -> None:
    def short() -> bool:
        handler.pass_on()
        return True

    handler = SigtermHandler(monitor.writing.fileno(), short)
    handler.install()
    second = SigtermHandler(loop.writing.fileno(), Delay(other))
    second.install()
    sigterm()
    assert server == ([] if other else [signal.SIGTERM])
    second.pass_on()
    assert server == [signal.SIGTERM]
    for each in (handler, second):
        each.remove()


def test_another_handler_that_is_set_for_a_while_and_restores_this_one_changes_nothing(
    server: list[int], monitor: Loop
) -> None:
    handler = SigtermHandler(monitor.writing.fileno(), Delay(False))
    handler.install()
    before = signal.signal(signal.SIGTERM, lambda number, frame: pytest.fail("it has been replaced"))
    handler.reinstall()
    signal.signal(signal.SIGTERM, before)
    handler.reinstall()
    sigterm()
    assert server == [signal.SIGTERM]


def test_install_is_refused_on_windows(monitor: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(CannotHandle, match="Windows"):
        SigtermHandler(monitor.writing.fileno(), Delay()).install()
