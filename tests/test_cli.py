"""The command line: exit statuses, one-line errors, nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fgcompile.cli import main
from tests.tiny_artifacts import onnx_artifact, torchscript_artifact


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str


Run = Callable[..., Result]


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


def assert_one_line_error(result: Result, message: str) -> None:
    assert result.status == 2, result
    assert result.out == ""
    assert result.err.startswith("fgcompile: error: ")
    assert message in result.err
    assert result.err.count("\n") == 1


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A tiny artifact that takes prepared arrays."""
    path = tmp_path / "tiny.onnx"
    path.write_bytes(onnx_artifact())
    return path


def test_help_names_the_commands_without_importing_torch() -> None:
    program = "import sys; from fgcompile.cli import main\ntry: main()\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("compile", "inspect", "verify", "explain", "demo"):
        assert command in done.stdout


def test_python_m_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "fgcompile", "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("fgcompile 0.")


def test_inspect_shows_what_the_artifact_says(run: Run, tiny: Path) -> None:
    result = run("inspect", tiny)
    assert result.status == 0
    assert "Tiny" in result.out
    assert "x float32 (batch, 3, 4, 4), target int64 (batch)" in result.out
    assert "tench" in result.out


@pytest.mark.parametrize("artifact", [onnx_artifact, torchscript_artifact])
def test_inspect_json_is_the_metadata(run: Run, tmp_path: Path, artifact: Callable[[], bytes]) -> None:
    (tmp_path / "tiny").write_bytes(artifact())
    result = run("inspect", tmp_path / "tiny", "--json")
    assert result.status == 0
    assert json.loads(result.out)["labels"][1] == "Löwe"


def test_inspect_refuses_what_is_not_an_artifact(run: Run, tmp_path: Path) -> None:
    assert_one_line_error(run("inspect", tmp_path / "missing.onnx"), "missing.onnx")
    (tmp_path / "other.onnx").write_bytes(b"something else")
    assert_one_line_error(run("inspect", tmp_path / "other.onnx"), "not an fgcompile artifact")


def test_explain_refuses_artifacts_without_preprocess(run: Run, tiny: Path, tmp_path: Path) -> None:
    result = run("explain", tiny, tmp_path / "photo.jpg", "-o", tmp_path / "out")
    assert_one_line_error(result, "compile it with --mean and --std")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compile", "m:build", "-o", "model.bin"], "cannot tell the format of model.bin"),
        (["compile", "m:build", "-o", "nowhere/model.onnx"], "its folder does not exist"),
        (["compile", "m:build", "-o", "model.onnx", "--target", "cat"], "--target cat"),
        (["compile", "m:build", "-o", "model.onnx", "--mean", "0.5"], "--mean and --std go together"),
        (["compile", "m:build", "-o", "model.onnx", "--mean", "a", "--std", "1"], "--mean a"),
        (["compile", "m:build", "-o", "model.onnx", "--labels", "missing.txt"], "missing.txt cannot be read"),
        (["compile", "m:build", "-o", "model.onnx", "--input", "3xx4"], "--input 3xx4"),
        (["compile", "no_module_of_this_name:build", "-o", "model.onnx"], "cannot import no_module_of_this_name"),
        (["explain", "missing.onnx", "photo.jpg", "-o", "out", "--target", "cat"], "--target cat"),
    ],
)
def test_user_errors_are_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_one_line_error(run(*arguments), message)
    assert list(tmp_path.iterdir()) == []


def test_usage_errors_exit_with_2(run: Run) -> None:
    assert run("compile").status == 2
    assert run("no-such-command").status == 2
    assert "Traceback" not in run("explain", "--no-such-option").err
