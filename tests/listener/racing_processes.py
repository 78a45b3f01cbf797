"""Processes that listen at one path in the same moment: `python -m ... PATH TRIALS`, a line for each trial.

It says how many believed that the path is theirs, and whether a client reached one of them.
"""

import os
import select
import socket
import sys

from asgi_health import Listener
from asgi_health.listener.interface import CannotListen
from asgi_health.listener.sockets import bind

RACERS = 4


def race(path: str, start: int, won: int, over: int) -> None:
    os.read(start, 1)  # the end, for all of them at once
    try:
        listening = bind(Listener(path))
    except CannotListen:
        os.write(won, b"-")
        return
    os.write(won, b"+")
    waited: list[socket.socket | int] = [listening, over]
    while True:  # others look in too, whether it is alive
        readable, _, _ = select.select(waited, [], [])
        if over in readable:
            return
        client, _ = listening.accept()
        try:
            client.sendall(b"here")
        except BrokenPipeError:
            pass
        client.close()


def trial(path: str) -> str:
    start, begin = os.pipe()
    results, won = os.pipe()
    over, end = os.pipe()
    children = []
    for _ in range(RACERS):
        child = os.fork()
        if child == 0:
            os.close(begin)
            os.close(end)
            race(path, start, won, over)
            os._exit(0)
        children.append(child)
    os.close(begin)
    told = b""
    while len(told) < RACERS:
        told += os.read(results, 1)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10.0)
        client.connect(path)
        reached = client.recv(16) == b"here"
    os.close(end)
    for each in (start, results, won, over):
        os.close(each)
    for child in children:
        os.waitpid(child, 0)
    return f"{told.count(b'+')} {'reached' if reached else 'lost'}"


for number in range(int(sys.argv[2])):
    if number % 2:
        os.unlink(sys.argv[1])  # otherwise the file of the one before is left, and dead
    print(trial(sys.argv[1]))
