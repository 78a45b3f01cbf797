"""The command line, in processes of its own; `demo.py` starts one, `browser.py` drives a real browser."""
