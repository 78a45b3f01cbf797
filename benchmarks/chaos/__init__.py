"""Faults of one worker at a time, on a host whose workers share a board.

`servers.py` lists the servers with workers, `app.py` and `target.py` are what they serve, `host.py` starts one, causes the
faults and asks for its answers. tests/servers/test_board.py shows each fault once.
"""
