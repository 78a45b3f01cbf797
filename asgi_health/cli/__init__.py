"""The command line.

`start` is where a process begins. `main` reads the arguments, but for the common form of `probe`: `arguments` has a
reader for that which costs nothing. Each command has a room: `probe`, `wait`, `check`, `demo`. A probe goes through
`target` (the URL), `connection` (addresses, TLS, the deadline) and `answer` (HTTP).

It does so every few seconds in every container, so the modules on its way import next to nothing: no argparse, no re,
no socket, no typing. On CPython 3.11 each of these takes longer than all the rest of the probe.
"""
