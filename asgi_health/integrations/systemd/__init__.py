"""systemd: READY=1, STATUS=, WATCHDOG=1 and STOPPING=1 of a service of ``Type=notify``. No other package is needed.

app = HealthMiddleware(app, checks, drain=Drain(), integrations=[Systemd()])
"""

import os
from typing import TYPE_CHECKING

from ...core.logger import logger
from ...core.validate import require_type
from ...health import Health
from .environment import read_environment

if TYPE_CHECKING:
    from .notifier import Notifier

__all__ = ["Systemd"]


class Systemd:
    """Notify systemd of the state of the app, where systemd has started it with NOTIFY_SOCKET set.

    - ``READY=1`` when the startup probe has passed.
    - ``STATUS=`` with the reason of readiness and the names of the checks behind it, in one line that every user of the
      host may read. Messages of checks are never in it: the journal has them, for those that may read it.
    - ``WATCHDOG=1`` from a task of the event loop, twice within ``WatchdogSec=``. A blocked loop sends none, and so
      systemd restarts the service. In a worker process of a server, a thread asks for the restart when the worker's
      loop has been blocked for ``WatchdogSec=``, because other workers send theirs.
    - ``STOPPING=1`` when a SIGTERM has come that a Drain delays, or the checks end, and ``EXTEND_TIMEOUT_USEC=`` as
      long as the signal is delayed. Only the main process of the service sends ``STOPPING=1``, because the end of a
      worker is not that of the service.

    It does not wait for the socket: what the socket does not take is sent again a second later.
    """

    def __init__(self) -> None:
        self._notifier: Notifier | None = None

    def start(self, health: Health, /) -> None:
        """Start to notify systemd of the state of `health`, from the event loop that runs at the moment.

        Without NOTIFY_SOCKET nothing is started. Values in the environment that systemd does not set are logged.

        Args:
            health: The Health.

        Raises:
            TypeError: for an argument that is not a Health.
        """
        require_type("Systemd.start: health", health, Health)
        self.stop()
        environment = read_environment(os.environ, os.getpid(), os.getppid())
        if environment is None:
            logger.debug("systemd: no NOTIFY_SOCKET to send to, so systemd is not notified")
            return
        from .notifier import Notifier

        notifier = self._notifier = Notifier(health, environment)
        notifier.start()

    def stop(self) -> None:
        """Stop without waiting. May be called without a start, and again."""
        notifier, self._notifier = self._notifier, None
        if notifier is not None:
            notifier.stop()
