"""The commands: each module has the arguments of one, its texts of help, and the function that runs it.

A command imports its own package when it runs: the texts of help need none of them.
"""
