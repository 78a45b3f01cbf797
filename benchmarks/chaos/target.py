"""The module that the servers import."""

from .app import Settings, make

app = make(Settings.load())
