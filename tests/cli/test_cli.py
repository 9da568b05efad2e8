"""The command line: exit statuses, one-line errors, nothing half-written."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import fgcompile
from fgcompile.runtime.answers import answers_of
from tests.cli.results import Result, Run, assert_one_line_error
from tests.compiler.capture.onnx.files import graph, model, node, random
from tests.support.sweeps import quick
from tests.support.tiny_artifacts import onnx_artifact, torchscript_artifact

MODELS = """
import types
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Linear(4, classes)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))

def build(classes=3):
    torch.manual_seed(0)
    return Net(classes)

def others():
    torch.manual_seed(1)
    return Net(3)

def untrained():
    return Net(3)

def with_an_idle_head():
    net = Net(3)
    net.idle = nn.Linear(4, 7)
    net.load_state_dict(torch.load("other.pt"), strict=False)
    return net

def normalised():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten())

class Pairs(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(9, 4), nn.Linear(4, 3)

    def forward(self, ids, mask=None, weights=None):
        return self.head((self.words(ids) * weights[..., None]).mean(1))

class Late(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(9, 3), nn.Linear(3, 2)

    def forward(self, ids=None, values=None):
        return self.head((self.words(ids) if values is None else values.tanh()).mean(0))

def named():
    net = Net(3)
    net.config = types.SimpleNamespace(id2label={0: "square", 1: "circle", 2: "0-1"})
    return net

def branches():
    class Branches(Net):
        def forward(self, x):
            return super().forward(x if x.sum() > 0 else -x)
    return Branches(3)

def looping():
    class Looping(Net):
        def forward(self, x):
            return torch.cat([super(Looping, self).forward(sample[None]) for sample in x])
    return Looping(3)
"""
COMPILE = ("compile", "cli_models:build", "--input", "3x16x16", "--mean", "0.5,0.5,0.5", "--std", "0.2,0.2,0.2")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a module of models, labels and a photo in it."""
    (tmp_path / "cli_models.py").write_text(MODELS)
    (tmp_path / "labels.txt").write_text("cat\ndog\n[bold]owl\n")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("cli_models", None)
    return tmp_path


def test_help_names_the_commands_without_importing_torch() -> None:
    program = "import sys; from fgcompile.cli import main\ntry: main()\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("compile", "inspect", "verify", "explain", "bench", "batch", "demo"):
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


def test_inputs_go_by_name_and_the_summary_says_which_is_which(run: Run, folder: Path) -> None:
    inputs = ("--input", "weights=5", "--input", "ids=5:int64")
    result = run("compile", "cli_models:Pairs", *inputs, "-o", "pairs.onnx", "--outputs", "logits,contributions")
    assert result.status == 0, result
    assert "session.explain((ids, weights))  # ids int64 (batch, 5); weights float32 (batch, 5)" in result.out
    refused = run("compile", "cli_models:Pairs", "--input", "5:int64", "--input", "weight=5", "-o", "pairs.onnx")
    assert_one_line_error(refused, "unknown example input 'weight': Pairs takes ids, mask, weights")


def test_inputs_of_any_name_are_variables_in_the_summary(run: Run, tmp_path: Path) -> None:
    """Files call them as tf2onnx does, or as words of Python's; what is printed is to be run."""
    nodes = [node("Mul", "images:0 class", "p"), node("MatMul", "p w", "y")]
    inputs = {"images:0": ("float32", ["n", 6]), "class": ("float32", ["n", 6])}
    onnx.save(model(graph(nodes, inputs, ["y"], {"w": random(6, 3)})), tmp_path / "network.onnx")
    result = run("compile", tmp_path / "network.onnx", "-o", tmp_path / "artifact.onnx")
    assert result.status == 0, result
    assert "session.explain((images_0, input_class))  # images:0 float32 (batch, 6); class float32" in result.out


def test_an_only_input_is_verified_by_its_name_and_with_its_batch(run: Run, folder: Path) -> None:
    inputs = ("--input", "values=5x3", "--layout", "values=l n c")
    result = run("compile", "cli_models:Late", *inputs, "-o", "late.onnx", "--outputs", "logits,contributions")
    assert result.status == 0, result
    assert "session.explain(values)  # values float32 (5, batch, 3)" in result.out
    assert run("verify", "late.onnx", "--source", "cli_models:Late").status == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compile", "m:build", "-o", "model.bin"], "cannot tell the format of model.bin"),
        (["compile", "m:build", "-o", "model.pt", "--format", "onnx"], "--format onnx does not fit model.pt"),
        (["compile", "m:build", "-o", "/proc/nowhere/model.onnx"], "its folder does not exist"),
        (["compile", "m:build", "-o", "/proc/model.onnx"], "/proc/model.onnx: cannot be written"),
        (["compile", "m:build", "-o", "/dev/null/model.onnx"], "/dev/null/model.onnx: cannot be written"),
        (["compile", "m:build", "-o", "model.onnx", "--target", "cat:1"], "--target cat:1 is no score"),
        (["compile", "m:build", "-o", "model.onnx", "--mean", "0.5"], "--mean and --std go together"),
        (["compile", "m:build", "-o", "model.onnx", "--mean", "a", "--std", "1"], "--mean a"),
        (["compile", "m:build", "-o", "model.onnx", "--labels", "missing.txt"], "--labels missing.txt: no such file"),
        (["compile", "m:build", "-o", "model.onnx", "--input", "3xx4"], "--input 3xx4"),
        (["compile", "no_module_of_this_name:build", "-o", "model.onnx"], "cannot import no_module_of_this_name"),
        (["compile", "m:build", "-o", "model.onnx", "--targets", "few"], "--targets few: give a whole number"),
        (["explain", "missing.onnx", "photo.jpg", "-o", "out", "--target", "cat"], "missing.onnx"),
    ],
)
def test_user_errors_are_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_one_line_error(run(*arguments), message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.whole
def test_a_model_that_loops_over_its_batch_compiles_for_one_sample_a_call(run: Run, folder: Path) -> None:
    looping = ("compile", "cli_models:looping", "-o", "model.onnx", *COMPILE[2:])
    assert_one_line_error(run(*looping), "or compile it for one sample a call, --batch 1")
    assert run(*looping, "--batch", "1").status == 0
    shown = run("inspect", "model.onnx").out
    assert "x uint8 (1, 16, 16, 3)" in shown
    assert "1 a call, the model takes no free batch" in shown
    assert run("verify", "model.onnx", "--source", "cli_models:looping").status == 0
    assert run("explain", "model.onnx", "photo.jpg", "-o", "out").status == 0


@pytest.mark.whole
@pytest.mark.parametrize("name", quick(["model.onnx", "model.pt"], "model.onnx"))
def test_compile_then_inspect_verify_and_explain(run: Run, folder: Path, name: str) -> None:
    compiled = run(*COMPILE, "-o", name, "--labels", "labels.txt", "--outputs", "logits,saliency,residual")
    assert compiled.status == 0, compiled.err
    assert compiled.err == ""  # no progress and no warnings where nobody watches
    assert "Compiled Net" in compiled.out
    assert f'fgcompile.load("{name}")' in compiled.out
    assert f"fgcompile explain {name} photo.jpg" in compiled.out

    metadata = json.loads(run("inspect", name, "--json").out)
    assert metadata["inputs"][0] == {"name": "x", "dtype": "uint8", "shape": ["batch", 16, 16, 3]}

    verified = run("verify", name, "--source", "cli_models:build", "--json")
    assert verified.status == 0, verified
    assert json.loads(verified.out)["passed"]

    explained = run("explain", name, "photo.jpg", "-o", "out", "--target", "2", "--json", "--npy")
    assert explained.status == 0, explained.err
    (record,) = json.loads(explained.out)
    assert record["name"] == "[bold]owl"
    assert np.load(record["saliency"]).shape == (16, 16)
    assert sorted(path.name for path in Path("out").iterdir()) == ["photo-explained.png", "photo-saliency.npy"]
    assert "[bold]owl" in run("explain", name, "photo.jpg", "-o", "out").out


@pytest.mark.whole
def test_a_class_is_fixed_by_the_name_that_its_source_has(run: Run, folder: Path) -> None:
    compiled = run("compile", "cli_models:named", "-o", "named.onnx", "--input", "3x16x16", "--target", "circle")
    assert compiled.status == 0, compiled.err
    for shown in (compiled.out, run("inspect", "named.onnx").out):
        assert re.search(r"^ *target\s+1, circle$", shown, re.MULTILINE)
    assert json.loads(run("inspect", "named.onnx", "--json").out)["target"] == 1


@pytest.mark.whole
@pytest.mark.parametrize("weights", [[], ["--weights", "trained.pt"]], ids=["random", "trained"])
def test_an_artifact_says_that_its_weights_are_random(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, weights: list[str]
) -> None:
    """Its source is a library's, whose model is made here by the test."""
    monkeypatch.setattr("fgcompile.cli.compiling.require_there", lambda *_: None)
    monkeypatch.setattr("fgcompile.cli.building.preset_of", lambda *_: None)
    monkeypatch.syspath_prepend(folder)
    made = importlib.import_module("cli_models")
    monkeypatch.setattr("fgcompile.cli.building.seeded_model", lambda *_: made.build().eval())
    compiled = run("compile", "torchvision:resnet18", *COMPILE[2:], *weights, "-o", "net.onnx")
    assert compiled.status == 0, compiled.err
    assert ("random, for lack of trained ones: --weights FILE" in compiled.out) == (not weights)
    assert ("random, for lack of trained ones\n" in run("inspect", "net.onnx").out) == (not weights)
    explained = run("explain", "net.onnx", "photo.jpg", "-o", "out", "--json")
    warning = (
        "fgcompile: warning: the model's weights are random, and so is what its maps show: compile it with --weights"
    )
    assert [line.startswith(warning) for line in explained.err.splitlines()] == [True] * (not weights)
    assert len(json.loads(explained.out)) == 1
    one = fgcompile.load("net.onnx").explain(np.zeros((1, 16, 16, 3), np.uint8))
    assert answers_of(one, 0, one.about.metadata)[0].detail.endswith(", random weights") == (not weights)


@pytest.mark.whole
@pytest.mark.parametrize(("name", "random"), [("untrained", True), ("with_an_idle_head", False)])
def test_weights_that_nothing_reads_make_no_model_random(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, random: bool
) -> None:
    monkeypatch.syspath_prepend(folder)
    made = importlib.import_module("cli_models")
    made.torch.save(made.build().state_dict(), "other.pt")
    compiled = run("compile", f"cli_models:{name}", "-o", f"{name}.onnx", "--input", "3x16x16")
    assert compiled.status == 0, compiled.err
    assert ("random, for lack of trained ones" in compiled.out) == random


@pytest.mark.whole
def test_dynamic_sizes_take_other_sizes_than_the_example_s(run: Run, folder: Path) -> None:
    assert run(*COMPILE, "-o", "model.onnx", "--dynamic-sizes").status == 0
    metadata = json.loads(run("inspect", "model.onnx", "--json").out)
    _, height, width, _ = metadata["inputs"][0]["shape"]
    assert isinstance(height, str)
    assert isinstance(width, str)
    assert run("verify", "model.onnx", "--source", "cli_models:build").status == 0
    photo = np.asarray(Image.open("photo.jpg"))[np.newaxis]
    assert fgcompile.load("model.onnx").explain(photo).saliency.shape == (1, 1, 40, 30)


@pytest.mark.whole
def test_verify_builds_random_weights_as_compile_did(run: Run, folder: Path) -> None:
    assert run("compile", "cli_models:untrained", "-o", "model.pt", "--input", "3x16x16").status == 0
    assert run("verify", "model.pt", "--source", "cli_models:untrained").status == 0


@pytest.mark.slow
def test_verify_says_first_that_weights_are_others(run: Run, folder: Path) -> None:
    assert run(*COMPILE, "-o", "model.pt").status == 0
    result = run("verify", "model.pt", "--source", "cli_models:others")
    assert result.status == 1
    assert "another model" in result.out.splitlines()[1]
    assert "give --weights FILE" in result.err
    refused = run("verify", "model.pt", "--source", "cli_models:Pairs")
    assert_one_line_error(refused, "was made from another model")
    assert "--explained" not in refused.err


@pytest.mark.slow
@pytest.mark.whole
def test_verify_fails_with_status_1_against_another_model(run: Run, folder: Path) -> None:
    assert run(*COMPILE, "-o", "model.pt").status == 0
    result = run("verify", "model.pt", "--source", "cli_models:build?classes=4")
    assert result.status == 1
    assert "FAILED" in result.out
    assert "Traceback" not in result.err
    assert run("verify", "model.pt", "--source", "cli_models:build?classes=4", "--json").status == 1


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("cli_models:branches", [], "fgcompile: error: "),
        ("cli_models:build", ["--target", "7"], "7"),
        ("cli_models:build", ["--target", "cat"], "or package.module:function"),
        ("cli_models:build", ["--target", "dig", "--labels", "labels.txt"], "no class of the model: perhaps 'dog'"),
        ("cli_models:named", ["--target", "circel"], "'circel' is no class of the model: perhaps 'circle'"),
        ("cli_models:named", ["--target", "0-1"], "--target 0-1 is a score, and class 2 is called so too"),
        ("cli_models:build", ["--outputs", "logits,colours"], "colours"),
        ("cli_models:build", ["--psi", "cube"], "cube"),
        ("cli_models:build", ["--rules", "none"], "none"),
        ("cli_models:build", ["--format", "tflite"], "tflite"),
        ("cli_models:build?classes=5", ["--labels", "labels.txt"], "3 labels for 5 classes"),
        ("cli_models:build", ["--mean", "0.5,0.5", "--std", "0.5,0.5"], "channels"),
        ("cli_models:build", ["--input", "4x16x16"], "channels"),
        ("cli_models:build", ["--method", "rough"], "rough"),
        ("cli_models:build", ["--biases", "some"], "some"),
        ("cli_models:build", ["--layout", "conv"], "write NAME=LAYOUT"),
        ("cli_models:build", ["--layout", "conv9=n c h w"], "no input or site is called so"),
        ("cli_models:build", ["--explained", "boxes"], "no output 'boxes'"),
        ("cli_models:build", ["--target", "cli_models:nothing"], "no callable named 'nothing'"),
        ("cli_models:build", ["--weights", "labels.txt"], "labels.txt cannot be read as weights"),
    ],
)
def test_failed_compile_leaves_the_old_artifact(
    run: Run, folder: Path, source: str, options: list[str], message: str
) -> None:
    Path("model.onnx").write_bytes(b"the old one")
    before = sorted(folder.iterdir())
    given = options if "--input" in options else ["--input", "3x16x16", *options]
    assert_one_line_error(run("compile", source, "-o", "model.onnx", *given), message)
    assert Path("model.onnx").read_bytes() == b"the old one"
    assert [path for path in sorted(folder.iterdir()) if path.name != "__pycache__"] == before


@pytest.mark.whole
def test_explain_errors(run: Run, folder: Path) -> None:
    assert run(*COMPILE, "-o", "free.pt").status == 0
    assert_one_line_error(run("explain", "free.pt", "photo.jpg", "-o", "out", "--target", "9"), "out of range")
    assert_one_line_error(run("explain", "free.pt", "photo.jpg", "-o", "labels.txt"), "labels.txt")
    assert run(*COMPILE, "-o", "fixed.pt", "--target", "1").status == 0
    assert_one_line_error(run("explain", "fixed.pt", "photo.jpg", "-o", "out", "--target", "2"), "fixed")


def test_batch_says_what_to_install(tiny: Path) -> None:
    program = "import sys; sys.modules['ray'] = None; from fgcompile.cli import main; main()"
    command = [sys.executable, "-c", program, "batch", tiny, "photo.jpg", "-o", tiny.parent / "out"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert_one_line_error(Result(done.returncode, done.stdout, done.stderr), "pip install 'fgcompile[ray]'")
    assert not (tiny.parent / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--actors", "0"], "actors is 0"),
        (["--batch", "0"], "batch is 0"),
        (["--format", "jpg"], "Invalid value for '--format'"),
    ],
)
def test_batch_errors(run: Run, tiny: Path, options: list[str], message: str) -> None:
    assert_one_line_error(run("batch", tiny, "photo.jpg", "-o", "out", *options), message)


@pytest.mark.whole
def test_verify_and_explain_take_providers(run: Run, folder: Path) -> None:
    pytest.importorskip("openvino", reason="needs OpenVINO: pip install 'fgcompile[openvino]'")
    assert run(*COMPILE, "-o", "model.onnx").status == 0
    chosen = ("--provider", "OpenVINO")
    assert run("verify", "model.onnx", "--source", "cli_models:build", *chosen).status == 0
    assert run("explain", "model.onnx", "photo.jpg", "-o", "out", *chosen).status == 0
    for command in (("verify", "--source", "cli_models:build"), ("explain", "photo.jpg", "-o", "out")):
        result = run(command[0], "model.onnx", *command[1:], "--provider", "Abacus")
        assert_one_line_error(result, "unknown execution provider Abacus")


def test_usage_errors_exit_with_2(run: Run) -> None:
    assert run("compile").status == 2
    assert run("no-such-command").status == 2
    assert "Traceback" not in run("explain", "--no-such-option").err


@pytest.mark.whole
def test_a_warning_is_one_line_without_the_place_in_python(run: Run, folder: Path) -> None:
    arguments = ("compile", "cli_models:normalised", "--input", "3x8x8", "-o", "net.onnx")
    result = run(*arguments, "--rules", "taylor")
    assert result.status == 0, result
    (warning,) = [line for line in result.err.splitlines() if "use --rules libragrad" in line]
    assert warning.startswith("fgcompile: warning: ")
    result = run(*arguments)
    assert result.status == 0, result
    assert "warning" not in result.err
    assert "rules libragrad, psi signed: the model normalises by the input's own statistics" in " ".join(
        result.out.split()
    )
    assert json.loads(run("inspect", "net.onnx", "--json").out)["rules"] == "libragrad"
