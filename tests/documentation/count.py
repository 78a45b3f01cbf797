"""Count the blocks of the pages by how they are checked: ``python -m tests.documentation.count``."""

from collections import Counter

from .blocks import BLOCKS, Block
from .test_programs import OWN_LOOP, WITH_SERVERS


def is_output(block: Block) -> bool:
    """Return whether a block shows what a command prints."""
    lines = [line for line in block.text.splitlines() if line and not line.startswith(("#", "$ ", "  "))]
    return block.language == "text" or (block.language == "console" and "$ " in block.text and bool(lines))


def way(block: Block) -> str:
    """Return how the tests check a block."""
    match block:
        case Block(quoted=quoted) if quoted:
            return "quoted: compared with its file"
        case Block(language="python", is_signature=True):
            return "signatures: parsed"
        case Block(language="python", needs=needs) if needs:
            return "programs: compiled, because a package is not installed"
        case Block(language="python", text=text) if "def test_" in text:
            return "test files: run by pytest"
        case Block(language="python", file=file) if file:
            return "parts of projects: run as a project by the test of the page"
        case Block(language="python", text=text) if OWN_LOOP in text:
            return "programs that print: run by the test of the page"
        case Block(language="python"):
            return "programs: run with a server" if block in WITH_SERVERS else "programs: run"
        case _ if is_output(block):
            return "outputs: compared by the test of the page"
    return f"{block.language}: parsed" + (", and checked by the tests of the page" if block.tests else "")


def main() -> None:
    """Print each way with its number of blocks, and the number of all."""
    ways = Counter(map(way, BLOCKS))
    for name, number in sorted(ways.items()):
        print(f"{number:5} {name}")
    print(f"{ways.total():5} blocks on {len({block.page for block in BLOCKS})} pages")


if __name__ == "__main__":
    main()
