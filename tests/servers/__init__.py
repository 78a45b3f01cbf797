"""Tests with real servers, each in a process of its own, over real sockets.

`servers.py` is the table of servers and `frameworks.py` that of frameworks; each test takes its cases from one of them.
`apps.py` and `target.py` run in the process of a server, `process.py` starts and stops one, `wire.py` has the client.
"""
