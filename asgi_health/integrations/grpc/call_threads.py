"""The threads that handle calls."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from threading import Thread
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class CallThreads(Executor):
    """Daemon threads that handle the calls of a gRPC server, until `shutdown`.

    Not a ThreadPoolExecutor: at the end of the interpreter that one joins its threads and refuses work. A call that
    comes then ends gRPC's serving thread with a traceback, and where one of the threads waits for gRPC the process
    never ends. Both were seen with grpcio 1.85 and a server that no shutdown had stopped.

    Raises RuntimeError where the system gives no thread.
    """

    def __init__(self, number: int) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._number = number
        for each in range(number):
            Thread(target=self._run, name=f"asgi-health grpc call {each}", daemon=True).start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Call `fn` in one of the threads, and return its future."""
        future: Future[T] = Future()

        def call() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        self._queue.put(call)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads when they have done what waits. Returns at once, whatever the arguments."""
        for _ in range(self._number):
            self._queue.put(None)

    def _run(self) -> None:
        while (call := self._queue.get()) is not None:
            call()
