"""Faults of one worker at a time, on a host whose workers share a board.

`servers.py` lists the servers with workers, `app.py` and `target.py` are what they serve. `host.py` starts one, causes
a fault and asks for the answers of all workers; tests/servers/test_board.py shows each fault once. `python -m
benchmarks.chaos` causes them at random for five minutes: `faults.py` has their bounds, `prober.py` sends the probes,
and `verdict.py` judges the answers.
"""
