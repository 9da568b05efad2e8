"""The command line in this process, and an artifact for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fgcompile.cli import main
from tests.cli.results import Result, Run
from tests.support.tiny_artifacts import onnx_artifact


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in this process."""

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["fgcompile", *map(str, arguments)])
        capsys.readouterr()
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
        return Result(status, *capsys.readouterr())

    return call


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A tiny artifact that takes prepared arrays."""
    path = tmp_path / "tiny.onnx"
    path.write_bytes(onnx_artifact())
    return path
