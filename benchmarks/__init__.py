"""What an answer costs, compared with an app that sends two constant messages, and with other packages.

Run: `python -m benchmarks`.
"""
