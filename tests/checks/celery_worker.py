"""A worker of Celery that starts again as soon as its broker answers.

Arguments: the broker, and the seconds between two heartbeats. Prints a line when the worker has sent a heartbeat, and
one when it has lost the broker. A worker that was asked to shut down does not return.
"""

import os
import sys
import time
import warnings
from importlib import import_module
from typing import Any

from celery import Celery
from celery.signals import heartbeat_sent

NAME = "one@tests"
PAUSE = 0.2  # seconds between two attempts


def work(broker: str, interval: float) -> int:
    warnings.simplefilter("ignore")  # Celery warns about its own code
    parent = os.getppid()
    beats = 0

    def say(sender: Any, **_: Any) -> None:
        nonlocal beats
        if os.getppid() != parent:
            os._exit(1)  # the tests have ended without it
        beats += 1
        if beats == 2:  # it is called before each heartbeat
            os.write(1, b"alive\n")  # Celery replaces sys.stdout

    heartbeat_sent.connect(say, weak=False)
    app = Celery("tests", broker=broker)
    # The pauses between its attempts would grow.
    app.conf.update(broker_connection_retry=False, broker_connection_retry_on_startup=False)
    worker = app.Worker(
        hostname=NAME,
        pool="solo",
        heartbeat_interval=interval,
        loglevel="CRITICAL",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()
    return worker.exitcode or 0


if __name__ == "__main__":
    import_module("celery.apps.worker")  # once, because it takes long
    while True:
        if child := os.fork():
            if os.waitpid(child, 0)[1] == 0:
                break
            print("lost", flush=True)
            time.sleep(PAUSE)
        else:
            code = 1
            try:
                code = work(sys.argv[1], float(sys.argv[2]))
            finally:
                os._exit(code)
