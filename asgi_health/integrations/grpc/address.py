"""The address of the gRPC server. gRPC binds it by itself: neither a bound socket nor a mode can be given to it."""

import os
import socket
from collections.abc import Callable
from urllib.parse import quote

from ...listener.config import Listener
from ...listener.sockets import SocketFile, address_of, release, reporting, reserve, vacant
from .forked import close_in_children, ended

SUBJECT = "grpc"


class TcpAddress:
    """A TCP address, which this process has reserved.

    Raises CannotListen where that is not possible.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._reserved = reserve(listener, SUBJECT)
        self._socket_name = self._reserved.getsockname()
        self.name = address_of(self._reserved).removeprefix("http://")

    def bind(self, add_port: Callable[[str], object]) -> None:
        """Have `add_port` bind the address; it raises OSError. Raises CannotListen."""
        with reporting(self._listener, SUBJECT):
            if not hasattr(socket, "SO_REUSEPORT"):
                self._reserved.close()
            add_port(self.name)
        close_in_children(self._socket_name)

    def release(self) -> None:
        """Allow another listener of this process to bind the address."""
        ended(self._socket_name)
        release(self._reserved)
        self._reserved.close()


class UnixAddress:
    """The path of a unix socket. It belongs to one process, the first one that binds it."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._path = listener.path or ""
        self._file: SocketFile | None = None
        self._socket_name = ""
        self.name = f"the unix socket {self._path}"

    def bind(self, add_port: Callable[[str], object]) -> None:
        """Have `add_port` bind the path; it raises OSError. Raises CannotListen."""
        # gRPC removes a socket that it finds at the path, also that of another server, and listens before the mode is
        # set. So it binds a name next to the path, which takes the place of the path when all is done.
        temporary = os.path.abspath(f"{self._path}.{os.getpid()}")
        with reporting(self._listener, SUBJECT), vacant(self._path):
            try:
                with socket.socket(socket.AF_UNIX) as attempt:
                    attempt.bind(temporary)  # for its error: that of gRPC has no reason
                add_port(f"unix:{quote(temporary)}")
                os.chmod(temporary, self._listener.mode)
                os.rename(temporary, self._path)
            except BaseException:
                if os.path.lexists(temporary):
                    os.unlink(temporary)
                raise
            self._file = SocketFile(self._path)
        self._socket_name = temporary
        close_in_children(temporary)

    def release(self) -> None:
        """Remove the file, unless another process has replaced it by its own."""
        ended(self._socket_name)
        if self._file is not None:
            self._file.unlink()


def address_for(listener: Listener) -> TcpAddress | UnixAddress:
    """Return the address of `listener`. Raises CannotListen."""
    return TcpAddress(listener) if listener.path is None else UnixAddress(listener)
