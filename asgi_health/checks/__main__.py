"""Print docs/reference/checks.md, the catalogue of the ready-made checks."""

from ._support.document import document

if __name__ == "__main__":
    print(document(), end="")
