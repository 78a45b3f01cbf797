"""The engine. Sans-IO: standard library only, no event loop, no HTTP, no waiting; time is always an argument."""
