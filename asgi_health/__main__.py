"""`python -m asgi_health`, and what the installed command `asgi-health` calls."""

from .cli.start import start

if __name__ == "__main__":
    start()
