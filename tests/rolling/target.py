"""The module that a server is told to serve."""

from .app import Settings, make

app = make(Settings.load())
