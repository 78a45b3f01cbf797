"""The listener: health probes answered from a thread of their own, with its own event loop."""
