"""The command `asgi-health`.

`start` is the entry point. It reads the common form of `probe` with `arguments`, and everything else with `parser`
(argparse) and `main`. The commands are `probe`, `wait`, `check`, `alert`, `doctor`, `maintain`, `resume`, `status`,
`demo` and `completion`. A probe uses `target` (the URL), `connection` (addresses, TLS, the deadline) and
`http_response`. `place` is where the commands about maintenances go: to an app (`app_client`), or to the board of its
workers (`board_file`).

Containers run `probe` every few seconds, so the modules that it uses import almost nothing: no argparse, re, socket or
typing. On CPython 3.11 each of these takes longer to import than the rest of the probe takes to run.
"""
