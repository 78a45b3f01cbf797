"""Connect to the target of a probe, within the deadline of the probe."""

import _socket
import _thread
from time import monotonic, sleep

from .target import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import SSLSocket

    Connection = _socket.socket | SSLSocket
    Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
    FamilyAndAddress = tuple[int, Address]

RETRY_DELAY = 0.01
"""Seconds between two attempts to connect to a unix socket whose backlog is full."""


class Unreachable(Exception):
    """No address of the target accepts a connection; the text says why."""


class Deadline:
    """The monotonic time at which the probe ends."""

    __slots__ = ("_end",)

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def remaining(self) -> float:
        """Return the remaining seconds, more than 0. Raises TimeoutError when the deadline has passed."""
        remaining = self._end - monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining


def connect(target: Target, deadline: Deadline) -> "_socket.socket":
    """Return a connection. Raises Unreachable, TimeoutError or another OSError."""
    if target.socket:
        return _connect_unix(target.socket, deadline)
    addresses = _addresses(target.host, target.port, deadline)
    reasons: dict[str, None] = {}  # a set that keeps its order
    for number, (family, address) in enumerate(addresses):
        # Each remaining address gets an equal share, so that one that is silent leaves time for one that answers.
        share = deadline.remaining() / (len(addresses) - number)
        try:
            return _connect(family, address, share)
        except OSError as error:
            reasons[explain(error)] = None
    raise Unreachable("; ".join(reasons) or "the name has no address")


def start_tls(plain: "_socket.socket", host: str, *, insecure: bool, deadline: Deadline) -> "SSLSocket":
    """Return a TLS connection over `plain`. Raises OSError. In either case `plain` must not be used any more."""
    import socket
    import ssl

    if insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = ssl.create_default_context()
    with socket.socket(fileno=plain.detach()) as tcp:  # wrap_socket detaches it, so nothing is left to close
        tcp.settimeout(deadline.remaining())
        return context.wrap_socket(tcp, server_hostname=host.partition("%")[0])


def explain(error: OSError) -> str:
    """Return the reason of `error` in a few words on one line."""
    if isinstance(error, TimeoutError) and not error.errno:
        return "timed out"
    verify_message = getattr(error, "verify_message", None)  # of ssl.SSLError, without importing ssl
    if verify_message:
        return f"the certificate is not accepted: {verify_message.rstrip('.')}"
    reason = getattr(error, "reason", None)
    if isinstance(reason, str):
        return f"TLS failed: {reason.lower().replace('_', ' ')}"
    text = error.strerror or str(error) or type(error).__name__
    return text[0].lower() + text[1:] if text[1:2].islower() else text


def _connect_unix(path: str, deadline: Deadline) -> "_socket.socket":
    family = getattr(_socket, "AF_UNIX", None)
    if family is None:
        raise Unreachable("this system has no unix sockets")
    while True:
        try:
            return _connect(family, path, deadline.remaining())
        except BlockingIOError:  # its backlog is full; on a socket with a timeout, Linux does not wait
            sleep(min(RETRY_DELAY, deadline.remaining()))


def _connect(family: int, address: "Address | str", seconds: float) -> "_socket.socket":
    connection = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def _addresses(host: str, port: int, deadline: Deadline) -> "list[FamilyAndAddress]":
    try:
        return _look_up(host, port, _socket.AI_NUMERICHOST)
    except _socket.gaierror:
        pass
    # The system's resolver takes no timeout, so it runs in a thread, which the probe abandons at its deadline.
    addresses: list[FamilyAndAddress] = []
    errors: list[OSError] = []
    done = _thread.allocate_lock()
    done.acquire()

    def look_up() -> None:
        try:
            addresses.extend(_look_up(host, port, 0))
        except OSError as error:
            errors.append(error)
        finally:
            done.release()

    try:
        _thread.start_new_thread(look_up, ())
    except RuntimeError:  # the container allows no more threads; a look-up without a deadline is better than none
        look_up()
    if not done.acquire(timeout=deadline.remaining()):
        raise TimeoutError
    if errors:
        raise errors[0]
    return addresses


def _look_up(host: str, port: int, flags: int) -> "list[FamilyAndAddress]":
    # As bytes: for a str, getaddrinfo imports the codec of international names.
    found = _socket.getaddrinfo(host.encode(), port, 0, _socket.SOCK_STREAM, 0, flags)
    return [(each[0], each[4]) for each in found]
