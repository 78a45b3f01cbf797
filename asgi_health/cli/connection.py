"""A connection to where a probe goes, under the one deadline of the probe."""

import _socket
from _thread import allocate_lock, start_new_thread
from time import monotonic, sleep

from .target import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import SSLSocket

    Connection = _socket.socket | SSLSocket
    Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
    Found = tuple[int, Address]

PAUSE = 0.01
"""Seconds between two tries on a unix socket whose queue is full."""


class Unreachable(Exception):
    """There is nobody to talk to, and why."""


class Deadline:
    """The moment at which everything must be over."""

    __slots__ = ("_end",)

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left, more than 0. Raises TimeoutError when there are none."""
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def connect(target: Target, deadline: Deadline) -> "_socket.socket":
    """Return a connection. Raises Unreachable, TimeoutError or another OSError."""
    if target.socket:
        return _connect_unix(target.socket, deadline)
    addresses = _addresses(target.host, target.port, deadline)
    troubles: dict[str, None] = {}
    for number, (family, address) in enumerate(addresses):
        # An equal share for each that is left, so that a silent address does not use up the time of one that answers.
        share = deadline.left() / (len(addresses) - number)
        try:
            return _connect(family, address, share)
        except OSError as error:
            troubles[words(error)] = None
    raise Unreachable("; ".join(troubles) or "the name has no address")


def secure(plain: "_socket.socket", host: str, *, insecure: bool, deadline: Deadline) -> "SSLSocket":
    """Return `plain` with TLS around it. Raises OSError; whatever happens, `plain` is used up."""
    import socket
    import ssl

    if insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = ssl.create_default_context()
    with socket.socket(fileno=plain.detach()) as whole:  # wrap_socket takes it over and leaves nothing to close
        whole.settimeout(deadline.left())
        return context.wrap_socket(whole, server_hostname=host.partition("%")[0])


def words(error: OSError) -> str:
    """Return what `error` says, in a few words on one line."""
    if isinstance(error, TimeoutError) and not error.errno:
        return "timed out"
    told = getattr(error, "verify_message", None)  # of ssl, which is not imported for this
    if told:
        return f"the certificate is not accepted: {told.rstrip('.')}"
    reason = getattr(error, "reason", None)
    if isinstance(reason, str):
        return f"TLS failed: {reason.lower().replace('_', ' ')}"
    told = error.strerror or str(error) or type(error).__name__
    return told[0].lower() + told[1:] if told[1:2].islower() else told


def _connect_unix(path: str, deadline: Deadline) -> "_socket.socket":
    family = getattr(_socket, "AF_UNIX", None)
    if family is None:
        raise Unreachable("this system has no unix sockets")
    while True:
        try:
            return _connect(family, path, deadline.left())
        except BlockingIOError:  # its queue is full, and Linux does not wait for a place where there is a timeout
            sleep(min(PAUSE, deadline.left()))


def _connect(family: int, address: "Address | str", seconds: float) -> "_socket.socket":
    connection = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def _addresses(host: str, port: int, deadline: Deadline) -> "list[Found]":
    try:
        return _look_up(host, port, _socket.AI_NUMERICHOST)
    except _socket.gaierror:
        pass
    # The system's resolver takes no deadline, so it works in a thread that is left behind if need be.
    found: list[Found] = []
    failed: list[OSError] = []
    over = allocate_lock()
    over.acquire()

    def look_up() -> None:
        try:
            found.extend(_look_up(host, port, 0))
        except OSError as error:
            failed.append(error)
        finally:
            over.release()

    try:
        start_new_thread(look_up, ())
    except RuntimeError:  # no more threads in this container: better late than not at all
        look_up()
    if not over.acquire(timeout=deadline.left()):
        raise TimeoutError
    if failed:
        raise failed[0]
    return found


def _look_up(host: str, port: int, flags: int) -> "list[Found]":
    # As bytes, for a string would import the codec of international names.
    found = _socket.getaddrinfo(host.encode(), port, 0, _socket.SOCK_STREAM, 0, flags)
    return [(each[0], each[4]) for each in found]
