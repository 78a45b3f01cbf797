"""Rolling restarts behind a real HAProxy: two backends, continuous load, and no request may be lost.

`haproxy.py` starts the balancer and says why each line of its configuration is there. `load.py` has the clients that
count what they get. `servers.py` lists the servers that can drain, `app.py` and `target.py` are what they serve,
`backend.py` starts one server process on a port of its own, `restarts.py` restarts the pair. `python -m
benchmarks.rolling` restarts every server with a drain and without one, and writes what was lost into
`results/rolling-table.md` and into the page that shows the table. `ASGI_HEALTH_RESTARTS=20` makes tests/rolling restart
each server 20 times.
"""
