"""Real servers in processes of their own, spoken to over real sockets.

`servers.py` is the table of servers and `frameworks.py` that of frameworks; each test takes its cases from one of them.
`apps.py` and `target.py` are what runs inside a server, `process.py` starts and stops one, `wire.py` speaks HTTP.
"""
