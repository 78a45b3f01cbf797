"""Ends the services of an app without lifespan, whose server never says that it stops."""

from asgi_health import HealthMiddleware


def stop_services(app: HealthMiddleware) -> None:
    """Stop the listener, the drain and the monitor of `app`, as the end of a lifespan would. In the loop's thread."""
    app._services.close(None)  # private: in production these services end with their process
