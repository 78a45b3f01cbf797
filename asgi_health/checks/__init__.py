"""Ready-made checks of what applications depend on, one module per technology.

    from asgi_health import Check
    from asgi_health.checks.postgres import asyncpg_pool

    Check("database", asyncpg_pool(pool), timeout=1.0)

Each is a function that returns what a Check runs. It takes the application's own client, or a function that returns it.
A check without a client takes what names its subject, such as a host, a path, or an alias of Django's. No module
imports its driver before one of its checks is made. No check writes, except `celery.celery_workers`: the broker must
register the listener and its requests.

`python -m asgi_health.checks` prints docs/reference/checks.md.
"""
