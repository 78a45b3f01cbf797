"""In front of SIGTERM: for handlers of Python, for event loops that read descriptors, and out again without a trace."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from asgi_health.runtime.drain.sigterm import CannotHold, Sigterm

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="a test of POSIX signals")


class Loop:
    """The end of an event loop at which the numbers of signals arrive."""

    def __init__(self) -> None:
        self.reading, self.writing = socket.socketpair()
        self.reading.setblocking(False)
        self.writing.setblocking(False)

    def arm(self) -> None:
        signal.set_wakeup_fd(self.writing.fileno(), warn_on_full_buffer=False)

    def heard(self) -> bytes:
        try:
            return self.reading.recv(100)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        self.reading.close()
        self.writing.close()


@pytest.fixture
def server() -> Iterator[list[int]]:
    """A server that handles SIGTERM by a handler of its own: what it got."""
    got: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))
    descriptor = signal.set_wakeup_fd(-1)
    yield got
    signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def ours() -> Iterator[Loop]:
    ours = Loop()
    yield ours
    ours.close()


class Hold:
    """What decides: whether the next signals are held back."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)

    def __call__(self) -> bool:
        return self.answers.pop(0)


def sigterm() -> None:
    signal.raise_signal(signal.SIGTERM)


@pytest.mark.usefixtures("server")
def test_the_first_is_held_back_and_the_second_goes_through(server: list[int], ours: Loop) -> None:
    front = Sigterm(ours.writing.fileno(), Hold(True, False))
    front.install()
    sigterm()
    assert server == []
    sigterm()
    assert server == [signal.SIGTERM]
    assert not front.installed


def test_after_one_went_through_everything_is_as_it_was(server: list[int], ours: Loop, loop: Loop) -> None:
    loop.arm()
    handler = signal.getsignal(signal.SIGTERM)
    front = Sigterm(ours.writing.fileno(), Hold(False))
    front.install()
    sigterm()
    assert signal.getsignal(signal.SIGTERM) is handler
    assert signal.set_wakeup_fd(-1) == loop.writing.fileno()


def test_it_can_be_taken_out_without_a_signal(server: list[int], ours: Loop, loop: Loop) -> None:
    loop.arm()
    handler = signal.getsignal(signal.SIGTERM)
    front = Sigterm(ours.writing.fileno(), Hold())
    front.install()
    assert signal.getsignal(signal.SIGTERM) is not handler
    front.remove()
    front.remove()
    assert signal.getsignal(signal.SIGTERM) is handler
    assert signal.set_wakeup_fd(-1) == loop.writing.fileno()
    sigterm()
    assert server == [signal.SIGTERM]


def test_a_loop_that_reads_a_descriptor_hears_of_it_only_when_it_goes_through(
    server: list[int], ours: Loop, loop: Loop
) -> None:
    loop.arm()
    front = Sigterm(ours.writing.fileno(), Hold(True, False))
    front.install()
    sigterm()
    front.forward(ours.heard())
    assert loop.heard() == b""
    sigterm()
    front.forward(ours.heard())
    assert loop.heard() == bytes([signal.SIGTERM])


def test_other_signals_reach_the_loop_through_the_descriptor(server: list[int], ours: Loop, loop: Loop) -> None:
    loop.arm()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    try:
        front = Sigterm(ours.writing.fileno(), Hold())
        front.install()
        signal.raise_signal(signal.SIGUSR1)
        assert loop.heard() == b""
        front.forward(b"\0" + ours.heard())
        assert loop.heard() == bytes([signal.SIGUSR1])
        front.remove()
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("server")
def test_where_no_loop_reads_a_descriptor_none_is_set(ours: Loop) -> None:
    front = Sigterm(ours.writing.fileno(), Hold())
    front.install()
    front.look()
    assert signal.set_wakeup_fd(-1) == -1
    front.remove()
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.usefixtures("server")
def test_a_loop_that_arms_its_descriptor_again_is_stepped_in_front_of_again(ours: Loop, loop: Loop) -> None:
    """uvloop does, each time its loop is run."""
    front = Sigterm(ours.writing.fileno(), Hold(True))
    front.install()
    loop.arm()
    front.look()
    sigterm()
    front.forward(ours.heard())
    assert loop.heard() == b""
    front.remove()
    assert signal.set_wakeup_fd(-1) == loop.writing.fileno()


def test_a_handler_that_is_set_later_is_stepped_in_front_of(server: list[int], ours: Loop) -> None:
    front = Sigterm(ours.writing.fileno(), Hold(True, False))
    front.install()
    late: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: late.append(number))
    front.look()
    sigterm()
    assert late == []
    sigterm()
    assert (late, server) == ([signal.SIGTERM], [])


def test_handlers_that_hand_on_to_each_other_come_to_an_end(server: list[int], ours: Loop) -> None:
    front = Sigterm(ours.writing.fileno(), Hold(False))
    front.install()
    behind = signal.getsignal(signal.SIGTERM)
    assert callable(behind)
    chained: list[int] = []

    def chain(number: int, frame: object) -> None:
        chained.append(number)
        behind(number, None)

    signal.signal(signal.SIGTERM, chain)
    front.look()
    sigterm()
    assert (chained, server) == ([signal.SIGTERM], [signal.SIGTERM])


def test_somebody_who_stepped_in_front_stays_there_and_gets_through(server: list[int], ours: Loop) -> None:
    front = Sigterm(ours.writing.fileno(), Hold())
    front.install()
    behind = signal.getsignal(signal.SIGTERM)
    assert callable(behind)

    def chain(number: int, frame: object) -> None:
        behind(number, None)

    signal.signal(signal.SIGTERM, chain)
    front.remove()
    assert signal.getsignal(signal.SIGTERM) is chain
    sigterm()
    assert server == [signal.SIGTERM]


@pytest.mark.usefixtures("server")
def test_a_full_or_closed_descriptor_of_a_loop_harms_nobody(ours: Loop, loop: Loop) -> None:
    loop.arm()
    front = Sigterm(ours.writing.fileno(), Hold())
    front.install()
    for _ in range(1000):
        front.forward(bytes([signal.SIGUSR1]) * 1000)
    front.remove()


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
def test_outside_of_the_main_thread_it_says_so_and_changes_nothing(ours: Loop) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    error = in_a_thread(Sigterm(ours.writing.fileno(), Hold()).install)
    assert isinstance(error, CannotHold)
    assert "main thread" in str(error)
    assert signal.getsignal(signal.SIGTERM) is handler


@pytest.mark.usefixtures("server")
def test_taking_it_out_in_another_thread_leaves_it_to_the_main_one(ours: Loop) -> None:
    front = Sigterm(ours.writing.fileno(), Hold())
    front.install()
    assert in_a_thread(front.remove) is None
    assert front.installed
    front.remove()
    assert not front.installed


@pytest.mark.usefixtures("server")
def test_where_nobody_listens_there_is_nothing_to_hold_back(ours: Loop) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with pytest.raises(CannotHold, match="nothing in this worker process listens"):
        Sigterm(ours.writing.fileno(), Hold()).install()


@pytest.mark.usefixtures("server")
def test_a_worker_that_ignores_ctrl_c_is_stopped_by_other_means(ours: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """hypercorn's; nothing of its own handles SIGTERM either."""
    monkeypatch.setattr("asgi_health.runtime.sigterm.parent_process", object)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(CannotHold, match="nothing in this worker process listens"):
            Sigterm(ours.writing.fileno(), Hold()).install()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_worker_that_ignores_ctrl_c_and_handles_sigterm_drains(
    server: list[int], ours: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_health.runtime.sigterm.parent_process", object)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    front = Sigterm(ours.writing.fileno(), Hold(True, False))
    try:
        front.install()
        sigterm()
        assert server == []
        sigterm()
        assert server == [signal.SIGTERM]
    finally:
        front.remove()
        signal.signal(signal.SIGINT, before)


def test_two_drains_in_one_process_hold_it_side_by_side_and_lose_nothing(server: list[int], loop: Loop) -> None:
    """An app and one that is mounted in it. Neither overtakes the other, and the loop's descriptor is not forgotten."""
    loop.arm()
    outer, inner = Loop(), Loop()
    fronts = [Sigterm(each.writing.fileno(), Hold(True, False, False)) for each in (outer, inner)]
    for front in fronts:
        front.install()
    for _ in range(3):
        for front in fronts:
            front.look()
    sigterm()
    for front, each in zip(fronts, (outer, inner), strict=True):
        front.forward(each.heard())
    assert (server, loop.heard()) == ([], b"")
    sigterm()
    assert server == [signal.SIGTERM]
    for front in fronts:
        front.remove()
    assert signal.set_wakeup_fd(-1) == loop.writing.fileno()
    outer.close()
    inner.close()


# -- what is held is passed on once, by the last who lets go


@pytest.fixture
def fronts(server: list[int]) -> Iterator[list[Sigterm]]:
    """Two that hold the first signal and nothing else."""
    loops = [Loop(), Loop()]
    fronts = [Sigterm(each.writing.fileno(), Hold(True, False)) for each in loops]
    for front in fronts:
        front.install()
    yield fronts
    for front in fronts:
        front.remove()
    for each in loops:
        each.close()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("removed", [(), (0,), (1,), (0, 1)], ids=str)
def test_of_two_that_hold_the_last_to_let_go_passes_it_on(
    order: tuple[int, int], removed: tuple[int, ...], server: list[int], fronts: list[Sigterm]
) -> None:
    """`removed`: those whose server has begun to stop by itself, and which hold nothing that comes after."""
    sigterm()
    for number in removed:
        fronts[number].remove()
    first, last = (fronts[number] for number in order)
    first.let_go()
    first.let_go()
    assert server == []
    last.let_go()
    assert server == [signal.SIGTERM]
    for front in fronts:
        front.let_go()
    assert server == [signal.SIGTERM]


def test_it_may_be_let_go_of_in_another_thread(server: list[int], fronts: list[Sigterm]) -> None:
    sigterm()
    for front in fronts:
        assert in_a_thread(front.let_go) is None
    assert server == [signal.SIGTERM]


def test_what_was_never_held_is_not_passed_on(server: list[int], fronts: list[Sigterm]) -> None:
    for front in fronts:
        front.let_go()
    assert server == []


def test_what_went_through_meanwhile_is_not_passed_on_once_more(server: list[int], fronts: list[Sigterm]) -> None:
    sigterm()
    sigterm()
    assert server == [signal.SIGTERM]
    for front in fronts:
        front.let_go()
    assert server == [signal.SIGTERM]


def test_one_that_came_later_does_not_hold_what_is_passed_on(server: list[int], ours: Loop, loop: Loop) -> None:
    """An app that is mounted, and has its first request in the middle of the drain."""
    first = Sigterm(ours.writing.fileno(), Hold(True))
    first.install()
    sigterm()
    late = Sigterm(loop.writing.fileno(), Hold())
    late.install()
    first.let_go()
    assert server == [signal.SIGTERM]
    late.remove()


def test_what_raises_when_it_is_asked_holds_nothing(server: list[int], ours: Loop) -> None:
    def broken() -> bool:
        raise ValueError("its own")

    Sigterm(ours.writing.fileno(), broken).install()
    sigterm()
    assert server == [signal.SIGTERM]


@pytest.mark.parametrize("other", [True, False])
def test_a_delay_that_is_over_before_the_next_is_asked_loses_nothing(
    other: bool, server: list[int], ours: Loop, loop: Loop
) -> None:
    def short() -> bool:
        front.let_go()
        return True

    front = Sigterm(ours.writing.fileno(), short)
    front.install()
    second = Sigterm(loop.writing.fileno(), Hold(other))
    second.install()
    sigterm()
    assert server == ([] if other else [signal.SIGTERM])
    second.let_go()
    assert server == [signal.SIGTERM]
    for each in (front, second):
        each.remove()


def test_who_handles_it_for_a_while_and_puts_back_what_was_there_changes_nothing(server: list[int], ours: Loop) -> None:
    front = Sigterm(ours.writing.fileno(), Hold(False))
    front.install()
    before = signal.signal(signal.SIGTERM, lambda number, frame: pytest.fail("it is long over"))
    front.look()
    signal.signal(signal.SIGTERM, before)
    front.look()
    sigterm()
    assert server == [signal.SIGTERM]


def test_windows_has_no_signal_to_hold_back(ours: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(CannotHold, match="Windows"):
        Sigterm(ours.writing.fileno(), Hold()).install()
