"""A shop to play with.

`shop` is the example: an app, its checks, and one line around it. `dependencies` is what it needs, `catalogue` what it
loads when it starts, `faults` breaks it, `controls` lets people do so by button and by URL, `serve` opens and closes.
"""
