"""What files of options hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer.main

from fgcompile.cli import app
from fgcompile.cli.arguments import read_labels
from fgcompile.errors import InputError
from tests.cli.results import Run, assert_one_line_error
from tests.support.tiny_artifacts import onnx_artifact


@pytest.mark.parametrize("written", ["a\nb", "a\nb\n", "\ufeffa\r\nb\r\n", "a\nb\n\n \n"])
def test_labels_are_a_name_a_line(tmp_path: Path, written: str) -> None:
    (tmp_path / "names.txt").write_bytes(written.encode())
    assert read_labels(tmp_path / "names.txt") == ["a", "b"]


@pytest.mark.parametrize(("written", "line"), [("a\n\nb\n", 2), ("\na\n", 1), ("a\nb\n\t\nc", 3)])
def test_an_empty_line_between_labels_is_named(tmp_path: Path, written: str, line: int) -> None:
    (tmp_path / "names.txt").write_text(written)
    with pytest.raises(InputError, match=rf"line {line} of .*names\.txt is empty"):
        read_labels(tmp_path / "names.txt")


FILES = [
    *("--labels", "--weights", "--tokenizer"),  # of compile
    "--file",  # of explain
    *("--token-file", "--tls-cert"),  # of serve
]
OF = {"--file": "explain", "--token-file": "serve", "--tls-cert": "serve"}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("empty").touch()
    Path("link").symlink_to("nowhere")
    Path("binary").write_bytes(bytes(range(256)))
    Path("text.onnx").write_bytes(onnx_artifact())


def arguments(option: str, file: str) -> list[str]:
    if option in OF:
        own = ["--tls-key", "binary"] if option == "--tls-cert" else []
        return [OF[option], "text.onnx", *(["-o", "out"] if option == "--file" else []), *own, option, file]
    return ["compile", "json:loads", "-o", "model.onnx", option, file]


@pytest.mark.parametrize("option", FILES)
@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("missing", "no such file"),
        ("folder", "a folder"),
        ("empty", "the file is empty"),
        ("link", "a link to nothing"),
        ("/dev/null", "a pipe or a device, not a file"),
    ],
)
def test_what_is_no_file_is_told_by_its_option(run: Run, files: None, option: str, file: str, message: str) -> None:
    assert_one_line_error(run(*arguments(option, file)), f"fgcompile: error: {option} {file}: {message}")


def test_every_option_of_a_file_is_tried(run: Run) -> None:
    """So that a new one is added above."""
    commands: Any = typer.main.get_command(app)
    found = {
        option.opts[0]
        for command in commands.commands.values()
        for option in command.params
        if option.opts[0].startswith("--") and option.metavar == "FILE"
    }
    assert found == {*FILES, "--tls-key"}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--labels", "(it is not UTF-8)"),
        ("--tokenizer", "(it is not UTF-8)"),
        ("--weights", "cannot be read as weights"),
    ],
)
def test_files_of_something_else_are_told_without_the_words_of_a_codec(
    run: Run, files: None, option: str, message: str
) -> None:
    Path("net.py").write_text("import torch\n\nnet = torch.nn.Linear(3, 2)\n")
    result = run("compile", "net:net", "--input", "3", "-o", "model.onnx", option, "binary")
    assert_one_line_error(result, message)
    assert "codec" not in result.err
