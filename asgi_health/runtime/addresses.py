"""The sockets of listeners."""

import os
import socket
import stat
from weakref import WeakSet

from ..core.listener import Listener
from .listening import CannotListen

BACKLOG = 128

_listening: WeakSet[socket.socket] = WeakSet()


def bind(listener: Listener) -> socket.socket:
    """Return a socket that listens where `listener` wants to. Raises CannotListen.

    Where the system has SO_REUSEPORT the workers of one host share a port, and each probe reaches one of them.
    """
    try:
        listening = _unix(listener.path) if listener.path is not None else _tcp(listener.host, listener.port)
    except (OSError, ValueError) as error:  # ValueError: a name that no host or file can have
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CannotListen(f"listener: cannot listen on {listener.address}: {reason}") from None
    _listening.add(listening)
    return listening


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
        """Take it away, unless it is the file of somebody else by now."""
        if self._identity is not None and _identity(self._path) == self._identity:
            os.unlink(self._path)


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


def _unix(path: str) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no unix sockets")
    if "\0" in path:
        raise ValueError("the path has a null in it")  # where bind() would end it
    listening = socket.socket(socket.AF_UNIX)
    try:
        try:
            listening.bind(path)
        except OSError:
            if not _left_behind(path):
                raise
            os.unlink(path)
            listening.bind(path)
        listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


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


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
