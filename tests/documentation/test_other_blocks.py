"""Each block that is not Python parses as the language of its fence: shell, YAML, configuration.

Other tests run them: the commands in tests/cli, the supervisors in tests/supervisors.
"""

import configparser
import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from functools import partial

import pytest
import yaml
from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
from pygments.token import Error, Punctuation  # type: ignore[import-untyped]

from .blocks import BLOCKS, ROOT, Block
from .count import is_output


def is_shell(text: str) -> None:
    done = subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def is_a_session(text: str) -> None:
    """Check commands after a prompt, between their output, or commands without a prompt."""
    is_shell("\n".join(re.findall(r"^\$ (.*)$", text, re.MULTILINE)) or text)


def is_yaml(text: str) -> None:
    assert isinstance(yaml.safe_load(text), dict)


def is_ini(text: str) -> None:
    # Not strict: in a unit of systemd an empty ExecStart= precedes the one that replaces another file's.
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(text)
    assert parser.sections()


def is_json(text: str) -> None:
    """Check one object, over any number of lines, or one object in each line."""
    documents = [text] if text.startswith("{\n") else text.splitlines()
    assert all(isinstance(json.loads(each), dict) for each in documents)


def is_hcl(text: str) -> None:
    """Check that each line opens a block, closes one or sets a value, and that the blocks are closed."""
    depth = 0
    for line in filter(None, map(str.strip, text.splitlines())):
        assert re.fullmatch(r'\w+(?: "\w+")? \{|\}|\w+ += (?:"[^"]*"|\d+|\[[^\]]*\])', line), line
        depth += line.endswith("{") - (line == "}")
        assert depth >= 0, line
    assert depth == 0


def is_toml(text: str) -> None:
    assert tomllib.loads(text)


def is_a_dockerfile(text: str) -> None:
    for line in text.splitlines():
        assert re.match(r"(?:ARG|FROM|RUN|CMD|COPY|ENV|HEALTHCHECK|STOPSIGNAL|WORKDIR) \S", line), line


def is_lexed(language: str, text: str) -> None:
    """Check the tokens and the brackets of a language in which other libraries' programs are shown."""
    tokens = [*get_lexer_by_name(language).get_tokens(text)]
    assert [token for kind, token in tokens if kind in Error] == []
    opened: list[str] = []
    for kind, token in tokens:
        for character in token if kind in Punctuation else "":
            if character in "([{":
                opened.append(character)
            elif character in ")]}":
                assert opened, f"nothing opens {character}"
                assert opened.pop() + character in ("()", "[]", "{}")
    assert opened == []


def is_shown(text: str) -> None:
    """Check only that there is a text: output has no syntax."""
    assert text.strip()


FORMS: dict[str, Callable[[str], None]] = {
    "console": is_a_session,
    "csharp": partial(is_lexed, "csharp"),
    "dockerfile": is_a_dockerfile,
    "hcl": is_hcl,
    "ini": is_ini,
    "java": partial(is_lexed, "java"),
    "json": is_json,
    "sh": is_shell,
    "text": is_shown,
    "toml": is_toml,
    "typescript": partial(is_lexed, "typescript"),
    "yaml": is_yaml,
}


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language != "python"], ids=str)
def test_a_block_parses_as_the_language_of_its_fence(block: Block) -> None:
    assert block.language in FORMS, f"{block}: unknown language {block.language!r}"
    FORMS[block.language](block.text)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.quoted], ids=str)
def test_a_quotation_is_in_its_file(block: Block) -> None:
    assert block.text in (ROOT / block.quoted).read_text()


def test_a_page_that_shows_outputs_names_the_test_that_compares_them() -> None:
    assert sorted({block.page for block in BLOCKS if is_output(block) and not block.tests}) == []


@pytest.mark.parametrize("language", ["csharp", "java", "typescript"])
@pytest.mark.parametrize("text", ["run(;", "run(];", "run()}", "#'\\", "run() \\\\ done"])
def test_a_program_that_cannot_be_lexed_is_found(language: str, text: str) -> None:
    with pytest.raises(AssertionError):
        is_lexed(language, text)
