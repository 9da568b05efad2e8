"""What files of options hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from fgcompile.cli.arguments import read_labels
from fgcompile.errors import InputError


@pytest.mark.parametrize("written", ["a\nb", "a\nb\n", "\ufeffa\r\nb\r\n", "a\nb\n\n \n"])
def test_labels_are_a_name_a_line(tmp_path: Path, written: str) -> None:
    (tmp_path / "names.txt").write_bytes(written.encode())
    assert read_labels(tmp_path / "names.txt") == ["a", "b"]


@pytest.mark.parametrize(("written", "line"), [("a\n\nb\n", 2), ("\na\n", 1), ("a\nb\n\t\nc", 3)])
def test_an_empty_line_between_labels_is_named(tmp_path: Path, written: str, line: int) -> None:
    (tmp_path / "names.txt").write_text(written)
    with pytest.raises(InputError, match=rf"line {line} of .*names\.txt is empty"):
        read_labels(tmp_path / "names.txt")
