"""What an import of the package imports, and what it says without Apprise."""

import subprocess
import sys

from ...servers.process import ROOT

WITHOUT_APPRISE = """
import sys
sys.modules["apprise"] = None
from asgi_health.integrations.alerts import Alerts
class Receiver:
    name = "receiver"
    def send(self, message, /, timeout): ...
Alerts([Receiver()])
Alerts(["json://localhost/secret"])
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_import_of_alerts_imports_no_client() -> None:
    program = "import sys; from asgi_health.integrations.alerts import Alerts; print(*sys.modules)"
    imported = set(run(program).stdout.split())
    assert "asgi_health.integrations.alerts" in imported
    assert imported.isdisjoint({"apprise", "httpcore", "httpx", "requests", "smtplib", "urllib3"})


def test_without_apprise_the_error_names_the_extra_and_other_targets_work() -> None:
    ended = run(WITHOUT_APPRISE)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        'ModuleNotFoundError: apprise is not installed; try: pip install "asgi-health[alerts]"'
    )
