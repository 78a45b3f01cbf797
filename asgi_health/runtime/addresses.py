"""The sockets of listeners."""

import os
import socket
import stat
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic, sleep
from weakref import WeakSet

from ..core.listener import Listener
from ..core.logger import logger
from .listening import CannotListen

BACKLOG = 2048
"""Connections that the system keeps until they are taken in, one in each turn of the loop; uvicorn's number. TCP sends
those beyond away, and a client comes again after a second."""

OTHERS = 5.0
"""Seconds for which others may be about to listen at the same path. They take milliseconds."""

_listening: WeakSet[socket.socket] = WeakSet()
_taken: dict[tuple[str, int], socket.socket] = {}
"""The addresses of TCP at which this process listens."""


def bind(listener: Listener) -> socket.socket:
    """Return a socket that listens where `listener` wants to. Raises CannotListen.

    Where the system has SO_REUSEPORT the workers of one host share a port, and each probe reaches one of them.
    """
    try:
        listening = (
            _unix(listener.path, listener.mode) if listener.path is not None else _tcp(listener.host, listener.port)
        )
    except (OSError, ValueError) as error:  # ValueError: a name that no host or file can have
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CannotListen(f"listener: cannot listen on {listener.address}: {reason}") from None
    if listener.path is None and _is_taken(listening):
        listening.close()
        # The system would share the port as among workers: a probe would reach now one, now the other.
        raise CannotListen(
            f"listener: cannot listen on {listener.address}: another listener of this process has it; expected an"
            " address of its own for each app"
        )
    _listening.add(listening)
    return listening


def _is_taken(listening: socket.socket) -> bool:
    """Tell whether this process listens there already; if not, the address is this one's from now on.

    The address that stands for all of a host takes in each of its own, and that of IPv6 those of IPv4 too.
    """
    name = listening.getsockname()
    for other in [*_taken]:
        if name[1] == other[1] and (_covers(name[0], other[0]) or _covers(other[0], name[0])):
            return True
    return _taken.setdefault(name, listening) is not listening


def _covers(host: str, other: str) -> bool:
    return host == "::" or (host == "0.0.0.0" and ":" not in other)


def release(listening: socket.socket) -> None:
    """Let another listener of this process have the address, although `listening` may be open for a moment."""
    # Of a copy: a listener may end in its own thread while another one begins.
    for name in [name for name, each in tuple(_taken.items()) if each is listening]:
        _taken.pop(name, None)


def address_of(listening: socket.socket) -> str:
    """Return where a socket listens, for the log."""
    name = listening.getsockname()
    if isinstance(name, str):
        return f"the unix socket {name}"
    host, port = str(name[0]), int(name[1])
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class SocketFile:
    """The file of a socket, if it has one."""

    def __init__(self, listening: socket.socket) -> None:
        name = listening.getsockname()
        # The working directory may be another one when the file is to go.
        self._path = os.path.abspath(name) if isinstance(name, str) else ""
        self._identity = _identity(self._path)

    def unlink(self) -> None:
        """Remove it, unless another process has put its own there.

        Where that is not allowed, because the process has dropped its privileges, the log says that it stays. The next
        process that listens there removes it.
        """
        if self._identity is not None and _identity(self._path) == self._identity:
            try:
                os.unlink(self._path)
            except OSError as error:
                logger.warning("the file of the listener's socket stays behind: %s: %s", self._path, error.strerror)


def _identity(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    # The time too, because the number of a file that is gone is soon given to another one.
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _tcp(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _unix(path: str, mode: int) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no unix sockets")
    if "\0" in path:
        raise ValueError("the path has a null in it")  # where bind() would end it
    listening = socket.socket(socket.AF_UNIX)
    try:
        with _alone_at(path):
            try:
                listening.bind(path)
            except OSError:
                if not _left_behind(path):
                    raise
                os.unlink(path)
                listening.bind(path)
            # Before it listens no client can connect, so there is no moment in which too many may. The umask would do
            # it in one step, but belongs to the whole process.
            os.chmod(path, mode)
            listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


@contextmanager
def _alone_at(path: str) -> Generator[None]:
    """Keep out other processes that are about to listen at the path.

    A socket that is bound and does not listen yet looks like one whose process has died: without a lock two processes
    would remove the file of the other, and both believe that the path is theirs. The lock ends with its process, and
    its file is removed at the end of the block.
    """
    import fcntl  # not on Windows

    name = f"{path}.lock"
    deadline = monotonic() + OTHERS
    while True:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same(lock, name):
                break
        except BlockingIOError:
            if monotonic() >= deadline:
                os.close(lock)
                raise OSError(f"another process has held {name} for {OTHERS:g} s") from None
            sleep(0.005)
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
    try:
        yield
    finally:
        os.unlink(name)  # a process that waits for it sees that its file is gone
        os.close(lock)


def _same(descriptor: int, path: str) -> bool:
    """Tell whether the file that is open is still the one at the path."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _left_behind(path: str) -> bool:
    """Tell whether the file is a socket that nobody listens to: its process has died."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return False
        with socket.socket(socket.AF_UNIX) as attempt:
            attempt.settimeout(1.0)
            attempt.connect(path)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def _close_in_child() -> None:
    """A forked process answers nobody: kept open there, the socket would go on taking connections when we are gone."""
    for each in tuple(_listening):
        each.close()
    _taken.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
