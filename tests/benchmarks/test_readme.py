"""What ``benchmarks/README.md`` says is there: every command, every result file; and commands elsewhere can be run."""

from __future__ import annotations

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
README = (FOLDER / "README.md").read_text()
NOT_FOR_READERS = {"benchmarks.harness.isolated", "benchmarks.trust.opening", "benchmarks.zoo.measure"}
"""Modules that are run by others."""


def commands() -> set[str]:
    """The modules that can be run."""
    runnable = [path for path in FOLDER.rglob("*.py") if 'if __name__ == "__main__"' in path.read_text()]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__") for path in runnable}
    return names - NOT_FOR_READERS


def test_every_command_has_its_row() -> None:
    rows = re.findall(r"^\|[^|]+\| `python -m (benchmarks\.[\w.]+)", README, re.MULTILINE)
    assert sorted(rows) == sorted(commands())


def test_every_linked_file_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (FOLDER / link).exists()] == []


def test_every_report_is_in_the_table() -> None:
    assert [path.name for path in FOLDER.glob("results/*.md") if f"(results/{path.name})" not in README] == []


@pytest.mark.parametrize("suffix", [".md", ".py", ".toml"])
def test_commands_in_texts_can_be_run(suffix: str) -> None:
    listed = subprocess.run(["git", "ls-files", f"*{suffix}"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("needs a clone of the repository: git clone")
    named = {
        name
        for path in listed.stdout.splitlines()
        for name in re.findall(r"python -m ((?:benchmarks|tools)(?:\.\w+)+)", (ROOT / path).read_text())
    }
    assert named
    assert [name for name in sorted(named) if find_spec(name) is None] == []
