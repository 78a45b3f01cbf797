"""Start processes that bind one path at the same moment: `python -m ... PATH TRIALS` prints a line for each trial.

A line says how many of them could bind the path, and whether a client reached one of them.
"""

import os
import select
import socket
import sys

from asgi_health import Listener
from asgi_health.listener.interface import CannotListen
from asgi_health.listener.sockets import bind

RACERS = 4


def race(path: str, start: int, won: int, ended: int) -> None:
    os.read(start, 1)  # returns at the end of file, in all of them at once
    try:
        listening = bind(Listener(path))
    except CannotListen:
        os.write(won, b"-")
        return
    os.write(won, b"+")
    waited: list[socket.socket | int] = [listening, ended]
    while True:  # the other processes connect too, to see whether one listens
        readable, _, _ = select.select(waited, [], [])
        if ended in readable:
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
    ended, end = os.pipe()
    children = []
    for _ in range(RACERS):
        child = os.fork()
        if child == 0:
            os.close(begin)
            os.close(end)
            race(path, start, won, ended)
            os._exit(0)
        children.append(child)
    os.close(begin)
    outcomes = b""
    while len(outcomes) < RACERS:
        outcomes += os.read(results, 1)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10.0)
        client.connect(path)
        reached = client.recv(16) == b"here"
    os.close(end)
    for each in (start, results, won, ended):
        os.close(each)
    for child in children:
        os.waitpid(child, 0)
    return f"{outcomes.count(b'+')} {'reached' if reached else 'lost'}"


for number in range(int(sys.argv[2])):
    if number % 2:
        os.unlink(sys.argv[1])  # in the other trials the file of a process that has ended is left
    print(trial(sys.argv[1]))
