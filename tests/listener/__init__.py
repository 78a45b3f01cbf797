"""The listener in this process: an app in an event loop of its own thread, asked over real sockets."""
