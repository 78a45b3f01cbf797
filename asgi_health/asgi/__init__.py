"""The middleware, and the little it needs to know of HTTP."""
