"""Where the documentation is: an installed package has no folder docs.

A module of its own, without an import, because help texts and rules share it: making a help text imports no rule.
"""

DOCUMENTATION = "https://asgi-health.github.io/asgi-health/latest"
"""The site of the last release: `site_url` of mkdocs.yml, and the name that a release gives to its version."""


def page(path: str) -> str:
    """Return the address of a page, which `path` names below docs, without the suffix, such as "reference/doctor"."""
    return f"{DOCUMENTATION}/{path}/"
