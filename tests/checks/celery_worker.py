"""A worker of Celery that is there again as soon as it can be. Its broker is the one argument.

Prints a line once the worker has sent a heartbeat, and one when it has ended, as it does when it loses the broker.
"""

import os
import sys
import time
import warnings
from typing import Any

from celery import Celery
from celery.signals import heartbeat_sent

NAME = "one@tests"
INTERVAL = 0.2  # seconds between two heartbeats


def work(broker: str) -> None:
    warnings.simplefilter("ignore")  # of Celery, about itself
    parent = os.getppid()
    said = False

    @heartbeat_sent.connect(weak=False)
    def say(sender: Any, **_: Any) -> None:
        nonlocal said
        if os.getppid() != parent:
            os._exit(1)  # the tests have ended without it
        if not said:
            said = True
            os.write(1, b"alive\n")  # Celery has its own idea of stdout

    app = Celery("tests", broker=broker)
    # It would wait longer and longer between its attempts.
    app.conf.update(broker_connection_retry=False, broker_connection_retry_on_startup=False)
    app.Worker(
        hostname=NAME,
        pool="solo",
        heartbeat_interval=INTERVAL,
        loglevel="CRITICAL",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
    ).start()


if __name__ == "__main__":
    import celery.apps.worker  # what takes long is imported once

    while True:
        if child := os.fork():
            os.waitpid(child, 0)
            print("ended", flush=True)
            time.sleep(INTERVAL)
        else:
            try:
                work(sys.argv[1])
            finally:
                os._exit(0)
