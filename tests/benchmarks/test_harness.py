"""What benchmarks share: fresh processes that return a value or a reason, and files that are written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.isolated import IsolatedError, run_isolated
from benchmarks.harness.once import once


def test_a_fresh_process_returns_a_value_or_a_reason() -> None:
    assert run_isolated("json:dumps", {"obj": [1]}, limit=60) == "[1]"
    with pytest.raises(IsolatedError, match=r"^JSONDecodeError: Expecting"):
        run_isolated("json:loads", {"s": "{"}, limit=60)
    with pytest.raises(IsolatedError, match=r"^exit status 3$"):
        run_isolated("os:_exit", {"status": 3}, limit=60)
    with pytest.raises(IsolatedError, match=r"^no result after 0 s$"):
        run_isolated("json:dumps", {"obj": [1]}, limit=0.001)


def test_a_file_is_written_once(tmp_path: Path) -> None:
    written: list[Path] = []

    def write(path: Path) -> None:
        written.append(path)
        path.write_text("it")

    assert once(tmp_path / "file", write) == once(tmp_path / "file", write) == tmp_path / "file"
    assert written == [tmp_path / "file"]
