"""Binds the sockets of listeners, and removes the files of unix sockets."""

import errno
import os
import socket
import stat
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic, sleep
from weakref import WeakSet

from ..core.logger import logger
from .config import Listener
from .interface import CannotListen

BACKLOG = 2048
"""Connections that the system queues until they are accepted, one per iteration of the loop; uvicorn's number. TCP
drops further ones, and the client tries again after a second."""

LOCK_TIMEOUT = 5.0
"""Seconds to wait for another process that binds the same path. It takes milliseconds."""

_sockets: WeakSet[socket.socket] = WeakSet()
_bound: dict[tuple[str, int], socket.socket] = {}
"""The TCP addresses at which this process listens."""


def bind(listener: Listener) -> socket.socket:
    """Return a socket that listens at the address of `listener`. Raises CannotListen.

    Where the system has SO_REUSEPORT the workers of one host share a port, and each probe reaches one of them.
    """
    with reporting(listener, "listener"):
        listening = (
            _unix(listener.path, listener.mode) if listener.path is not None else _tcp(listener.host, listener.port)
        )
    if listener.path is None:
        _record(listening, listener, "listener")
    _sockets.add(listening)
    return listening


def reserve(listener: Listener, subject: str) -> socket.socket:
    """Return a socket that is bound to the TCP address of `listener` and does not listen. Raises CannotListen.

    For a server that binds by itself, and shares the port with this socket where the system has SO_REUSEPORT. The
    reservation finds the reason why an address is not available, and keeps other listeners of this process away.
    """
    with reporting(listener, subject):
        reserved = _tcp(listener.host, listener.port, listens=False)
    _record(reserved, listener, subject)
    _sockets.add(reserved)
    return reserved


@contextmanager
def reporting(listener: Listener, subject: str) -> Generator[None]:
    """Raise CannotListen, with the address and the reason, where the block cannot bind the address of `listener`."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a name that is not valid for a host or file
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CannotListen(f"{subject}: cannot listen on {listener.address}: {reason}") from None


def _record(bound: socket.socket, listener: Listener, subject: str) -> None:
    if _is_bound(bound):
        bound.close()
        # The system would share the port, as it does among workers: each probe would reach one of the two at random.
        raise CannotListen(
            f"{subject}: cannot listen on {listener.address}: another listener of this process uses it;"
            " expected an address of its own for each app"
        )


def _is_bound(listening: socket.socket) -> bool:
    """Return whether this process listens there already; if not, record the address as bound.

    The wildcard address covers every address of the host, and that of IPv6 also those of IPv4.
    """
    name = listening.getsockname()
    for other in [*_bound]:
        if name[1] == other[1] and (_covers(name[0], other[0]) or _covers(other[0], name[0])):
            return True
    return _bound.setdefault(name, listening) is not listening


def _covers(host: str, other: str) -> bool:
    return host == "::" or (host == "0.0.0.0" and ":" not in other)


def release(listening: socket.socket) -> None:
    """Allow another listener of this process to bind the address, although `listening` may stay open for a moment."""
    # A copy: a listener may end in its own thread while another one begins.
    for name in [name for name, each in tuple(_bound.items()) if each is listening]:
        _bound.pop(name, None)


def address_of(listening: socket.socket) -> str:
    """Return where a socket listens, for the log."""
    name = listening.getsockname()
    if isinstance(name, str):
        return f"the unix socket {name}"
    host, port = str(name[0]), int(name[1])
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def path_of(listening: socket.socket) -> str:
    """Return the path of a unix socket, empty for a socket of TCP."""
    name = listening.getsockname()
    return name if isinstance(name, str) else ""


class SocketFile:
    """The file of a socket; the path is empty for a socket without one."""

    def __init__(self, path: str) -> None:
        # An absolute path: the working directory may have changed when the file is removed.
        self._path = os.path.abspath(path) if path else ""
        self._identity = _identity(self._path)
        self._process = os.getpid()

    def unlink(self) -> None:
        """Remove it, unless another process has replaced it by its own, or this one was forked from its process.

        Where that is not allowed, because the process has dropped its privileges, the log says so. The next process
        that listens there removes it.
        """
        is_ours = self._process == os.getpid() and self._identity is not None
        if is_ours and _identity(self._path) == self._identity:
            try:
                os.unlink(self._path)
            except OSError as error:
                logger.warning(
                    "the file of the listener's socket cannot be removed: %s: %s", self._path, error.strerror
                )


def _identity(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    # The time too, because the inode number of a removed file is soon used again.
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _tcp(host: str, port: int, *, listens: bool = True) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(address)
        if listens:
            listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _unix(path: str, mode: int) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no unix sockets")
    if "\0" in path:
        raise ValueError("the path has a null in it")  # bind() would cut it there
    listening = socket.socket(socket.AF_UNIX)
    try:
        with _locked(path):
            try:
                listening.bind(path)
            except OSError:
                if not _is_abandoned(path):
                    raise
                os.unlink(path)
                listening.bind(path)
            # Before listen() no client can connect, so the file is never open to too many clients. The umask would set
            # the mode in one step, but it applies to the whole process.
            os.chmod(path, mode)
            listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


@contextmanager
def vacant(path: str) -> Generator[None]:
    """Exclude other processes while the block binds a unix socket at the path. Raises OSError where one listens."""
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no unix sockets")
    with _locked(path):
        if os.path.lexists(path) and not _is_abandoned(path):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        yield


@contextmanager
def _locked(path: str) -> Generator[None]:
    """Exclude other processes that are about to listen at the path.

    A socket that is bound and does not listen yet looks like one whose process has died: without a lock two processes
    would remove each other's file, and both assume that they listen at the path. The lock ends with its process, and
    its file is removed at the end of the block.
    """
    import fcntl  # not on Windows

    name = f"{path}.lock"
    deadline = monotonic() + LOCK_TIMEOUT
    while True:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same(lock, name):
                break
        except BlockingIOError:
            if monotonic() >= deadline:
                os.close(lock)
                raise OSError(f"another process has held {name} for {LOCK_TIMEOUT:g} s") from None
            sleep(0.005)
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
    try:
        yield
    finally:
        os.unlink(name)  # a process that waits for the lock notices that its file is gone
        os.close(lock)


def _same(descriptor: int, path: str) -> bool:
    """Return whether the open file is still the one at the path."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _is_abandoned(path: str) -> bool:
    """Return whether the file is a socket to which no process listens: its process has died."""
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
    """Close the sockets in a forked process: it answers no request, and connections would queue there after our end."""
    for each in tuple(_sockets):
        each.close()
    _bound.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
