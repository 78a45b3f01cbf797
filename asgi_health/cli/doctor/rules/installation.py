"""What is installed, and what is missing."""

import re
from collections.abc import Iterator
from pathlib import Path

from ..facts import AppFacts
from ..finding import Finding, rule

_MISSING = re.compile(r'(\S+) is not installed; try: (pip install "asgi-health\[[a-z-]+\]")')


@rule("missing-extra", "error", "The app cannot be imported, or the check fails in each run.")
def missing_extra(facts: AppFacts) -> Iterator[Finding]:
    texts = {f"check {name!r}": run.message for name, run in facts.runs.items()} | {"the app": facts.load_error}
    for subject, text in texts.items():
        found = _MISSING.search(text)
        if found:
            yield Finding(f"{subject} needs {found[1]}, which is not installed", found[2])


@rule(
    "two-installations",
    "error",
    "Python imports the first one. A server that starts in another folder, or with another path, imports the other"
    " one.",
)
def two_installations(facts: AppFacts) -> Iterator[Finding]:
    folders = [(Path(entry) / "asgi_health").resolve() for entry in facts.search_path]
    found = [folder for folder in dict.fromkeys(folders) if (folder / "__init__.py").is_file()]
    if len(found) > 1:
        yield Finding(
            f"asgi-health is on the path of Python {len(found)} times: {', '.join(map(str, found))}",
            "remove all but one, and look at PYTHONPATH and at copies in the project",
        )


RULES = (missing_extra, two_installations)
