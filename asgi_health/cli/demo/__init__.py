"""A small shop to try asgi-health with.

`shop` is the example: an app, its checks, and one line around it. `dependencies` holds what the shop depends on,
`catalogue` what it loads at its start, `faults` the ways to break it, and `changes` what has happened. `receiver` is
where its alerts arrive. `controls` shows the status page with the `panel` of buttons, and `serve` runs the server.
"""
