"""Tests of the middleware: ASGI scopes and messages in, messages out."""
