"""Whatever the documents tell to run is there: targets of make, commands and their options, versions of tools."""

from __future__ import annotations

import re

import pytest
import typer.main

from fgcompile.cli import app
from tests.docs.test_paths import DOCUMENTS, ROOT, ids

COMMANDS = typer.main.get_group(app).commands
TEXTS = {ids(path): path.read_text(encoding="utf-8") for path in DOCUMENTS}
TEXTS |= {name: (ROOT / name).read_text(encoding="utf-8") for name in (".github/workflows/test.yml", ".ci/run")}


def code_of(text: str) -> str:
    """What is code in a document, an expression or line of it on each line: blocks, indented lines, backticks."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) + re.findall(r"^    .*$", text, re.MULTILINE)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", text)])


@pytest.mark.parametrize("name", TEXTS)
def test_targets_of_make_exist(name: str) -> None:
    code = TEXTS[name] if name.startswith(".") else code_of(TEXTS[name])
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z][\w-]*)", code)) <= targets


@pytest.mark.parametrize("name", [name for name in TEXTS if not name.startswith(".")])
def test_commands_and_their_options_exist(name: str) -> None:
    for command, rest in re.findall(r"(?:^|[\s$])fgcompile ([a-z]+)\b([^\n|#;&]*)", code_of(TEXTS[name])):
        assert command in COMMANDS, f"fgcompile {command}"
        known = {option for each in COMMANDS[command].params for option in each.opts}
        assert set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", rest)) <= known | {"--help"}, f"fgcompile {command}{rest}"


def test_commits_are_checked_by_the_pinned_ruff() -> None:
    (pinned,) = re.findall(r"^ruff==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert f"rev: v{pinned} " in (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
