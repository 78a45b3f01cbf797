"""Rolling restarts behind a real HAProxy: two backends, continuous load, and no request may be lost.

`haproxy.py` is the balancer and says why each line of its configuration is there, `load.py` the clients that count what
they get, `servers.py` the servers that can drain, `app.py` and `target.py` what runs inside them, `backend.py` one
server process on a port of its own, `rolling.py` the restarts. `python -m tests.rolling` restarts every server with a
drain and without one and prints what was lost; `ASGI_HEALTH_RESTARTS=20` has the tests restart each of them so often.
"""
