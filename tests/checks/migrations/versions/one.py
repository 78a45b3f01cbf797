"""What the databases of the test servers are at. It is read, and never run."""

revision = "one"
down_revision = None
