"""The socket on which systemd receives messages."""

import socket

from ...core.logger import logger


class NotifySocket:
    """Send messages to `address` without waiting. Not for two threads at once.

    The socket is not connected: a systemd that executes itself again binds a new one at the same address.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._closed = False
        self._lost = 0
        self._logged = False

    def send(self, fields: list[str]) -> bool:
        """Send one message with `fields`, and return whether the socket has taken it.

        The first failure is logged, and that it has ended.
        """
        if self._closed:
            return True
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            self._socket.sendto("\n".join(fields).encode(), self._address)
        except OSError as error:  # full (EAGAIN), without a receiver (ECONNREFUSED, ENOENT), no descriptor left
            self._lost += 1
            if self._lost == 1 and not self._logged:
                logger.warning("systemd: the socket takes no message: %s; they are sent again until it does", error)
            return False
        if self._lost and not self._logged:
            self._logged = True
            logger.info("systemd: the socket takes messages again, after %d that it did not take", self._lost)
        self._lost = 0
        return True

    def close(self) -> None:
        """Close it. What is sent later is dropped."""
        self._closed = True
        if self._socket is not None:
            self._socket.close()
