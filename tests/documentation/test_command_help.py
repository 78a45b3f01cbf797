"""docs/reference/command.md ends with what `--help` of each command prints."""

from . import command_help


def test_the_page_has_the_help_of_each_command() -> None:
    _, _, shown = command_help.PAGE.read_text().partition(command_help.HEADING)
    # Without the line breaks, which argparse chooses in another way on each Python.
    assert shown.split() == command_help.section().removeprefix(command_help.HEADING).split(), (
        "write them again: python -m tests.documentation.command_help"
    )
