"""Ready-made checks of what applications depend on, one room per technology.

    from asgi_health import Check
    from asgi_health.checks.postgres import asyncpg_pool

    Check("database", asyncpg_pool(pool), timeout=1.0)

Each is a function that returns what a Check runs. It takes the application's own client, or a function that returns it;
where there is none to ask with, what names its subject, such as a host, a path, or an alias of Django's. No room
imports its driver before one of its checks is made. None of the checks writes, but for `celery.celery_workers`, for
which a broker must note who listens and what it asks.
"""
