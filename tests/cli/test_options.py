"""Options: what they can be is shown and checked before torch is imported, in a pipe as on a terminal."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main

from fgcompile.artifact import fitting
from fgcompile.bulk.options import MAP_FORMATS
from fgcompile.cli import app, choices, console
from fgcompile.cli.parameters import _PICTURES as PICTURES_PANEL
from fgcompile.cli.stages import Stopwatch
from fgcompile.compiler import request
from fgcompile.pictures.reading import FITS, Reading
from tests.cli.results import Run, assert_one_line_error
from tests.support.tiny_artifacts import photo_artifact


def test_choices_are_what_the_library_takes() -> None:
    same = {
        "Format": request.Format,
        "Method": request.Method,
        "Psi": request.PsiName,
        "Rules": request.RuleSet,
        "Terms": request.Terms,
        "Biases": request.Biases,
        "Precision": request.Precision,
        "Device": request.Device,
        "Order": request.Order,
        "Output": request.Output,
    }
    for name, kind in same.items():
        assert get_args(getattr(choices, name)) == get_args(kind), name
    assert get_args(choices.FitMode) == fitting.MODES
    assert get_args(choices.Fitting) == FITS
    assert get_args(choices.Interpolation) == fitting.INTERPOLATIONS
    assert get_args(choices.MapFormat) == MAP_FORMATS


def options_of(command: str) -> dict[str, Any]:
    found: Any = typer.main.get_command(app)
    return {each.opts[0]: each for each in found.commands[command].params if each.opts[0].startswith("-")}


def test_commands_that_read_inputs_take_the_same_options_of_reading() -> None:
    explain = options_of("explain")
    of_pictures = {name for name, each in explain.items() if getattr(each, "rich_help_panel", "") == PICTURES_PANEL}
    assert of_pictures == {f"--{name.replace('_', '-')}" for name in Reading.__dataclass_fields__}
    of_texts = {"--text", "--file", "--pairs", "--continuation", "--target"}
    for command, names in (("batch", of_pictures | {"--target"}), ("card", of_pictures | of_texts)):
        own = options_of(command)
        assert names <= own.keys(), command
        for name in names - {"--target"}:
            assert own[name].default == explain[name].default


COMPILE = ["compile", "json:loads", "-o", "model.onnx"]
MISTAKES: list[tuple[list[str], str]] = [
    ([*COMPILE, "--rules", "magic"], "'magic' is not one of 'auto', 'taylor'"),
    ([*COMPILE, "--precision", "float8"], "'float8' is not one of"),
    ([*COMPILE, "--precision", "bfloat16"], "takes no bfloat16"),
    ([*COMPILE, "--outputs", "map"], "'map' is not one of logits, saliency"),
    ([*COMPILE, "--on-demand", "--outputs", "logits"], "ask for the logits"),
    ([*COMPILE, "--target", "Region"], "Region takes index"),
    ([*COMPILE, "--target", "3", "--targets", "2"], "the target is 3"),
    ([*COMPILE, "--terms", "parameters", "--method", "simple_fullgrad"], "leave it out"),
    ([*COMPILE, "--fit", "tall"], "'tall' is not one of 'crop', 'squash', 'letterbox'"),
    ([*COMPILE, "--fix", "sr=16000"], "--fix sr=16000: only an .onnx file has inputs to fix, and json:loads is none"),
    (["compile", "net.pt2", "-o", "model.onnx", "--fix", "sr=1"], "--fix sr=1: only an .onnx file"),
    ([*COMPILE, "--weights", "none.pt"], "none.pt: no such file"),
    (["compile", "none.onnx", "-o", "model.onnx"], "none.onnx: no such file"),
    (["compile", "no_such:module", "-o", "model.onnx"], "cannot import no_such"),
    (["compile", "json.py:loads", "-o", "model.onnx"], "name its module, json:loads"),
    (["compile", "nets/json.py:loads", "-o", "model.onnx"], "name its module, nets.json:loads"),
    (["compile", "--nothing"], "No such option: --nothing"),
    (["verify", "none.onnx", "--source", "no_such:module"], "cannot import no_such"),
    (["verify", "none.onnx", "--source", "json:loads", "--target", "Region"], "Region takes index"),
    (["explain", "none.onnx"], "Missing option '--output'"),
    (["batch", "none.onnx", "a.png", "-o", "out", "--format", "gif"], "'gif' is not one of"),
    (["triton", "none.onnx", "-o", "out", "--device", "tpu"], "'tpu' is not one of 'auto', 'cpu', 'gpu'"),
    (["verify", "none.onnx", "--source", "json:loads"], "none.onnx: cannot be read"),
    (["compile", "json:loads", "-o", "x.onnx", "--target", "Diference:1,2"], "Diference:1,2 is no score (Difference, "),
    (["compile", "json:loads", "-o", "x.onnx", "--target", ":1"], "--target :1 is no score"),
    (
        ["compile", "json:loads", "-o", "x.onnx", "--mean", "0", "--std", "0"],
        "--std 0: give standard deviations, above 0",
    ),
    (["compile", "json:loads", "-o", "x.onnx", "--mean", "nan", "--std", "1"], "--mean nan: give finite numbers"),
    (["no-such-command"], "No such command"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_mistakes_are_one_line(
    run: Run, arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_one_line_error(run(*arguments), message)


def test_none_of_them_takes_torch_or_numpy(tmp_path: Path) -> None:
    program = (
        "import sys; from fgcompile.cli import main\n"
        f"for arguments in {[arguments for arguments, _ in MISTAKES]!r}:\n"
        "    sys.argv = ['fgcompile', *arguments]\n"
        "    try: main()\n"
        "    except SystemExit: pass\n"
        "    heavy = {'torch', 'numpy', 'onnx', 'onnxruntime', 'PIL', 'ray'} & sys.modules.keys()\n"
        "    assert not heavy, (arguments, heavy)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, stderr=subprocess.DEVNULL)


OF_ARTIFACTS = [
    (["compile", "photo.onnx", "-o", "x.onnx"], "photo.onnx is compiled already"),
    (["verify", "photo.onnx", "--source", "photo.onnx"], "photo.onnx is compiled already"),
    (["explain", "photo.onnx", "a.png", "-o", "out", "--alpha", "2"], "alpha is 2.0: give a number from 0"),
    (["explain", "photo.onnx", "a.png", "-o", "out", "--colormap", "jett"], "jett"),
    (["explain", "photo.onnx", "a.png", "-o", "out", "--top", "0"], "top"),
    (["explain", "photo.onnx", "a.png", "-o", "out", "--target", "9"], "9"),
    (["batch", "photo.onnx", "a.png", "-o", "out", "--target", "9"], "9"),
    (["batch", "photo.onnx", "a.png", "-o", "out", "--batch", "0"], "batch is 0"),
    (["batch", "photo.onnx", "a.png", "-o", "out", "--fit", "whole"], "whole"),
    (["batch", "photo.onnx", "no-such.png", "-o", "out"], "no-such.png"),
]


def test_nor_do_those_of_an_artifact_take_a_runtime(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.onnx").write_bytes(photo_artifact())
    for arguments, message in OF_ARTIFACTS:
        assert_one_line_error(run(*arguments), message)
    program = (
        "import sys; from fgcompile.cli import main\n"
        f"for arguments in {[arguments for arguments, _ in OF_ARTIFACTS]!r}:\n"
        "    sys.argv = ['fgcompile', *arguments]\n"
        "    try: main()\n"
        "    except SystemExit: pass\n"
        "    heavy = {'torch', 'onnx', 'onnxruntime', 'ray'} & sys.modules.keys()\n"
        "    assert not heavy, (arguments, heavy)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stderr=subprocess.DEVNULL)


def test_an_artifact_is_not_written_over_what_it_is_made_of(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("net.onnx", "weights.pt", "names.pt"):
        Path(name).write_text("a\nb\n")
    Path("link.onnx").symlink_to("net.onnx")
    for arguments in (
        ["net.onnx", "-o", "net.onnx"],
        ["net.onnx", "-o", "link.onnx"],
        ["torch:nn", "-o", "weights.pt", "--weights", "weights.pt"],
        ["torch:nn", "-o", "names.pt", "--labels", "names.pt"],
    ):
        assert_one_line_error(run("compile", *arguments), "is what it would be made of, and would be replaced")


@pytest.mark.parametrize("command", ["", *typer.main.get_group(app).commands])
def test_help_is_short_too_and_ends_in_an_example(run: Run, command: str) -> None:
    shown = run(*([command] if command else []), "-h")
    assert shown.status == 0
    assert not command or f"As: fgcompile {command} " in " ".join(shown.out.split())


def test_help_shows_the_choices_and_an_example_in_each_panel(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = run("compile", "-h").out
    for words in ("auto|taylor|libragrad|attnlrp", "crop|squash|letterbox", "rgb|bgr", "as --target 281", "as --mean"):
        assert words in shown
    assert run().err + run().out  # the help, of a program that was told nothing


def test_quiet_says_nothing_and_verbose_how_long_it_took(run: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("inspect", tiny, "-q").out == ""
    assert json.loads(run("inspect", tiny, "-q", "--json").out)["model"]
    assert run("inspect", tiny).out
    told = run("bench", tiny, "--repeats", "1", "-v")
    assert told.status == 0, told.err
    assert [line.split()[1] for line in told.err.splitlines()] == ["s"] * len(told.err.splitlines())
    assert "measure" in told.err
    missing = run("inspect", "none.onnx", "-v").err
    assert "Traceback" in missing
    assert missing.splitlines()[-1].startswith("fgcompile: error: none.onnx")
    assert "Traceback" not in run("inspect", "none.onnx").err


def test_tables_in_pipes_are_cells_with_tabs(run: Run, tiny: Path) -> None:
    lines = run("inspect", tiny).out.splitlines()
    assert "format\tONNX" in lines
    assert any(line.startswith("inputs\tx float32 (batch, 3, 4, 4), target") for line in lines)
    assert not any(line.endswith(" ") or "─" in line for line in lines)


def test_tables_on_terminals_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(console.out, "_force_terminal", True)
    monkeypatch.setattr(console.out, "_file", shown)
    table = console.table_of("one", "two")
    console.add(table, "a", "b\tc")
    console.show(table)
    assert "─" in shown.getvalue()
    assert r"b\tc" in shown.getvalue()


def test_a_stopwatch_adds_up_stages_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 1.0, 3.0, 3.0, 7.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    told: list[Any] = []
    watch = Stopwatch(lambda stage, seconds: told.append((stage, seconds)))
    report = watch.before(told.append)
    for stage in ("load", "check", "load"):
        report(stage)
    watch.stop()
    watch.stop()
    assert watch.seconds == {"load": 5.0, "check": 2.0}
    assert told == ["load", ("load", 1.0), "check", ("check", 2.0), "load", ("load", 4.0)]


def test_shells_complete_choices(tmp_path: Path) -> None:
    words = {"COMP_WORDS": "fgcompile compile --rules ", "COMP_CWORD": "3", "_FGCOMPILE_COMPLETE": "complete_bash"}
    program = "import sys; from fgcompile.cli import main; sys.argv = ['fgcompile']; main()"
    shown = subprocess.run([sys.executable, "-c", program], env={**words, "PATH": ""}, capture_output=True, text=True)
    assert {"auto", "taylor", "libragrad", "attnlrp"} <= set(shown.stdout.split()), shown
