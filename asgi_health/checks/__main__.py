"""Print docs/checks.md, the table of the ready-made checks."""

from .table import document

if __name__ == "__main__":
    print(document(), end="")
