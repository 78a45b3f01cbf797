"""The pure heart: standard library only, no loop, no HTTP, no waiting; time comes in as an argument."""
