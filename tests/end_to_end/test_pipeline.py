"""compile and verify: artifacts that equal the eager model in each runtime, and refusals that leave nothing behind."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.artifact.pair import Pair
from fgcompile.compiler import pipeline
from fgcompile.compiler.backends.onnx.emit import emit_onnx
from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.programs import FusedProgram
from fgcompile.compiler.lowering import decomposition_table
from fgcompile.compiler.pipeline import fuse
from fgcompile.compiler.request import Target
from fgcompile.errors import CaptureError, InputError, OutputError, ScoreError, VerificationError
from fgcompile.runtime.onnxruntime import MappedBackend, OnnxRuntimeBackend
from tests.support.compiled import compiled
from tests.support.networks import NETWORKS, ConvNet, build, randomised
from tests.support.sweeps import crossed, few, quick

SUFFIXES = {"onnx": ".onnx", "torchscript": ".pt"}
ALL_OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients")
PREPROCESS = fgcompile.Preprocess((0.5,) * 3, (0.25,) * 3)
TARGETS: dict[str, Target] = {"class": 2, "predicted": "predicted", "callable": lambda y: y[:, 0] - y[:, 1]}
FORBIDDEN = {
    "ScatterElements", "ScatterND", "Scatter", "MaxUnpool", "Sign", "OneHot", "ConstantOfShape", "TopK", "If", "Loop",
}  # fmt: skip
"""ONNX operators that TensorRT or WebGPU lack, which a convolutional network's artifact does without."""


@pytest.mark.parametrize(("name", "format"), few(crossed(NETWORKS, SUFFIXES), 2))
def test_artifacts_equal_the_eager_model(name: str, format: str, tmp_path: Path) -> None:
    model, x = build(name, torch.float32)
    path = tmp_path / f"model{SUFFIXES[format]}"
    fgcompile.compile(model, x[:1], format=format, outputs=ALL_OUTPUTS).save(path)
    session = fgcompile.load(path)
    program = fuse(model, x, outputs=ALL_OUTPUTS)
    for batch, target in ((1, None), (5, [0, 1, 2, -1, 1])):
        inputs = torch.randn(batch, *x.shape[1:])
        explanation = session.explain(inputs.numpy(), None if target is None else np.array(target))
        given = torch.full((batch,), -1) if target is None else torch.tensor(target)
        exact = dict(
            zip(
                (spec.name for spec in program.outputs),
                program.graph_module(inputs.double(), given),
                strict=True,
            )
        )
        np.testing.assert_allclose(explanation.logits, exact["logits"], rtol=1e-4, atol=1e-5)
        assert np.abs(explanation.saliency - exact["saliency"].numpy()).max() < 1e-3 * exact["saliency"].max()
        np.testing.assert_allclose(explanation.contributions, exact["contributions"], rtol=1e-3, atol=1e-4)
        magnitude = exact["contributions"].abs().sum(1).numpy()
        assert (np.abs(explanation.residual) < 1e-4 * magnitude).all()
        np.testing.assert_allclose(explanation.input_gradient, exact["input_gradient"], rtol=1e-3, atol=1e-5)
        assert explanation.saliency.shape == (batch, 1, *x.shape[2:])
        assert [site["name"] for site in session.metadata["sites"]] == list(explanation.bias_gradients)


@pytest.mark.parametrize("name", quick(["residual", "batch norms"], "residual"))
def test_the_onnx_graph_has_standard_portable_operators_only(name: str, tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "model.onnx"
    compiled(name).save(path)
    loaded = onnx.load(path)
    onnx.checker.check_model(loaded, full_check=True)
    assert {entry.domain for entry in loaded.opset_import} == {""}
    assert not {node.op_type for node in loaded.graph.node} & FORBIDDEN
    assert not [node for node in loaded.graph.node if node.op_type == "MaxPool" and len(node.output) > 1]


@pytest.mark.parametrize("format", quick(SUFFIXES, "onnx"))
def test_the_same_compile_twice_gives_the_same_bytes(format: str) -> None:
    model, x = build("residual", torch.float32)
    assert fgcompile.compile(model, x, format=format).content == compiled("residual", format).content


def test_metadata_describes_the_artifact() -> None:
    model, x = build("residual", torch.float32)
    metadata = fgcompile.compile(model, x, labels=list("abcde")).metadata
    assert metadata["inputs"] == [
        {"name": "x", "dtype": "float32", "shape": ["batch", 3, 17, 20]},
        {"name": "target", "dtype": "int64", "shape": ["batch"]},
    ]
    assert metadata["outputs"] == [
        {"name": "logits", "dtype": "float32", "shape": ["batch", 5]},
        {"name": "saliency", "dtype": "float32", "shape": ["batch", 1, 17, 20]},
    ]
    assert [term["name"] for site in metadata["sites"] for term in site["terms"]] == [
        "stem.bias", "bn", "bn2", "head.bias",
    ]  # fmt: skip
    assert metadata["labels"] == ["a", "b", "c", "d", "e"]
    assert metadata["model"]["name"] == "ConvNet"
    assert 0 <= metadata["completeness"] < 1e-9


def test_outputs_come_in_the_order_of_the_contract_whatever_was_asked_for() -> None:
    metadata = compiled("residual", outputs=("residual", "saliency", "logits")).metadata
    assert [spec["name"] for spec in metadata["outputs"]] == ["logits", "saliency", "residual"]


@pytest.mark.parametrize(("kind", "format"), few(crossed(TARGETS, SUFFIXES), 2))
def test_a_target_chosen_when_compiling_leaves_one_input(kind: str, format: str, tmp_path: Path) -> None:
    target = TARGETS[kind]
    model, x = build("residual", torch.float32)
    path = tmp_path / f"model{SUFFIXES[format]}"
    fgcompile.compile(model, x, format=format, target=target, outputs=ALL_OUTPUTS).save(path)
    session = fgcompile.load(path)
    assert [spec["name"] for spec in session.metadata["inputs"]] == ["x"]
    explanation = session.explain(x.numpy())
    expected = fgcompile.full_gradient(model.double(), x.double(), target=target)
    np.testing.assert_allclose(explanation.contributions.sum(1), expected.score, rtol=1e-3, atol=1e-4)
    if target != "predicted":
        return
    np.testing.assert_array_equal(explanation.target, expected.target)


@pytest.mark.parametrize("format", quick(SUFFIXES, "onnx"))
def test_preprocessing_is_folded_in_front(format: str, tmp_path: Path) -> None:
    model, x = build("residual", torch.float32)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    path = tmp_path / f"model{SUFFIXES[format]}"
    fgcompile.compile(model, x, format=format, preprocess=fgcompile.Preprocess(mean, std)).save(path)
    session = fgcompile.load(path)
    assert session.metadata["inputs"][0] == {"name": "x", "dtype": "uint8", "shape": ["batch", 17, 20, 3]}
    raw = torch.randint(0, 256, (4, 17, 20, 3), dtype=torch.uint8)
    normalised = ((raw / 255 - torch.tensor(mean)) / torch.tensor(std)).permute(0, 3, 1, 2)
    explanation = session.explain(raw.numpy())
    np.testing.assert_allclose(explanation.logits, model(normalised).detach(), rtol=1e-4, atol=1e-4)
    expected = fuse(model, x).graph_module(normalised.double(), torch.full((4,), -1))[1].numpy()
    assert np.abs(explanation.saliency - expected).max() < 1e-3 * expected.max()


def test_one_number_of_the_preprocessing_is_for_all_channels() -> None:
    model, x = build("residual", torch.float32)
    spread = fgcompile.compile(model, x, preprocess=fgcompile.Preprocess((0.5,) * 3, (0.2, 0.25, 0.3)))
    one = fgcompile.compile(model, x, preprocess=fgcompile.Preprocess(0.5, (0.2, 0.25, 0.3)))
    assert one.content == spread.content
    assert one.metadata["preprocess"] == {"mean": [0.5] * 3, "std": [0.2, 0.25, 0.3]}
    with pytest.raises(InputError, match=r"2 and 3 channels, the model has 3 channels: .* for all$"):
        fgcompile.compile(model, x, preprocess=fgcompile.Preprocess((0.5, 0.5), 0.25))
    grey = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with pytest.raises(InputError, match="order is 'bgr', and there are 1 channels"):
        fgcompile.compile(grey, torch.rand(2, 1, 8, 8), preprocess=fgcompile.Preprocess(0.5, 0.25, order="bgr"))


@pytest.mark.parametrize("scale", [pytest.param((0, 255)), pytest.param((-1, 1), marks=pytest.mark.slow)])
def test_a_model_that_takes_blue_first_on_another_scale_is_given_it(scale: tuple[float, float], tmp_path: Path) -> None:
    model, x = build("residual", torch.float32)
    black, white = scale
    mean, std = (torch.tensor(each) * (white - black) for each in ((0.4, 0.5, 0.6), (0.2, 0.25, 0.3)))
    preprocess = fgcompile.Preprocess(tuple(mean.tolist()), tuple(std.tolist()), scale=scale, order="bgr")
    fgcompile.compile(model, x, preprocess=preprocess).save(tmp_path / "model.onnx")
    raw = torch.randint(0, 256, (4, 17, 20, 3), dtype=torch.uint8)
    blue_first = raw[..., [2, 1, 0]].double() / 255 * (white - black) + black
    normalised = ((blue_first - mean) / std).permute(0, 3, 1, 2).float()
    explanation = fgcompile.load(tmp_path / "model.onnx").explain(raw.numpy())
    np.testing.assert_allclose(explanation.logits, model(normalised).detach(), rtol=1e-4, atol=1e-4)
    report = fgcompile.verify(tmp_path / "model.onnx", model, raw)
    assert report.passed, report


@pytest.mark.parametrize(
    "preprocess", few([fgcompile.Preprocess((0.5,) * 3, (0.25,) * 3), None], 1), ids=["raw image", "plain"]
)
def test_verify_passes_for_the_model_and_fails_for_another(
    preprocess: fgcompile.Preprocess | None, tmp_path: Path
) -> None:
    model, x = build("residual", torch.float32)
    path = tmp_path / "model.onnx"
    options = {} if preprocess is None else {"preprocess": preprocess}
    compiled("residual", outputs=("residual", "saliency", "logits"), **options).save(path)
    inputs = x if preprocess is None else torch.randint(0, 256, (2, 17, 20, 3), dtype=torch.uint8)
    report = fgcompile.verify(path, model, inputs)
    assert report.passed, report
    assert len(report.checks) == 4
    with torch.no_grad():
        model.head.bias[0] += 1.0
    assert not fgcompile.verify(path, model, inputs).passed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "tflite"}, "format is 'tflite', which is not one of 'onnx', 'torchscript'"),
        ({"psi": "softmax"}, "psi is 'softmax'"),
        ({"rules": "magic"}, "rules is 'magic'"),
        ({"method": "lime"}, "method is 'lime'"),
        ({"outputs": ("logits", "heat")}, "outputs is 'heat'"),
        ({"outputs": "logits"}, "pass a tuple of names"),
        ({"outputs": ()}, "pass a tuple of names"),
        ({"target": "cat"}, "target 'cat': the model has no names of classes: give a class as a whole number, or"),
        ({"target": 1.5}, "target is 1.5"),
        ({"preprocess": ((0.5,) * 3, (0.2,) * 3)}, r"preprocess is .*: pass fgcompile.Preprocess\("),
        ({"layouts": "n c h w"}, "layouts is 'n c h w': pass a mapping of names"),
        ({"labels": ["a", "b"]}, "there are 2 labels for 5 classes"),
        ({"preprocess": fgcompile.Preprocess((0.5,), (0.2,))}, "the model has 3 channels"),
        (
            {"preprocess": fgcompile.Preprocess((0.5,) * 3, (0.2, 0.0, 0.2))},
            "std has 0, and a standard deviation is positive",
        ),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fgcompile.compile(ConvNet().eval(), torch.zeros(1, 3, 16, 16), **options)  # type: ignore[arg-type]


def test_a_single_logit_has_a_single_label() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 1)).eval()
    with pytest.raises(InputError, match="there are 2 labels for the one logit: give one, of what it is for, or none"):
        fgcompile.compile(model, torch.zeros(1, 4), labels=["no", "yes"])


def test_a_class_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(ScoreError, match="target 5 is out of range: the model has classes 0 to 4"):
        fgcompile.compile(ConvNet().eval(), torch.zeros(1, 3, 16, 16), target=5)


def test_a_name_of_another_format_is_refused(tmp_path: Path) -> None:
    artifact = compiled("residual")
    with pytest.raises(InputError, match=r"end it in \.onnx"):
        artifact.save(tmp_path / "model.pt")
    with pytest.raises(OutputError):
        artifact.save(tmp_path / "missing" / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_is_shown_in_a_line() -> None:
    artifact = compiled("residual")
    assert repr(artifact) == f"Artifact({artifact.metadata['model']['name']}, onnx, {len(artifact.content)} bytes)"


def test_verify_refuses_what_the_artifact_does_not_take(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    compiled("residual").save(path)
    model, x = build("residual", torch.float32)
    with pytest.raises(InputError, match=r"x has shape \(2, 4, 17, 20\), the artifact takes .*: axis 1 must be 3"):
        fgcompile.verify(path, model, torch.zeros(2, 4, 17, 20))
    with pytest.raises(InputError, match="2 inputs given, the artifact takes 1: x"):
        fgcompile.verify(path, model, [x.numpy(), x.numpy()])


def test_a_failed_compile_leaves_an_existing_artifact_alone(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    compiled("residual").save(path)
    before = path.read_bytes()
    with pytest.raises(CaptureError):
        fgcompile.compile(ConvNet().train(), torch.zeros(1, 3, 16, 16)).save(path)
    assert path.read_bytes() == before


def test_a_wrong_lowering_is_caught_before_emission(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check compares with the eager model, so a table with a mistake in it compiles nothing."""
    threshold = torch.ops.aten.threshold_backward.default
    mistake = {threshold: lambda gradient, value, limit: gradient * (value > 0.1).to(gradient.dtype)}
    monkeypatch.setattr(
        "fgcompile.compiler.fusing.decomposition_table", lambda *where: decomposition_table(*where) | mistake
    )
    model, x = build("residual", torch.float32)
    with pytest.raises(VerificationError, match="'saliency' of the fused graph differs"):
        fgcompile.compile(model, x)


@pytest.mark.parametrize("mapped", quick([False, True], True))
def test_a_mistaken_export_is_caught_after_emission(mapped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was emitted runs once, so a defect of the exporter or the runtime compiles nothing either.

    Nor where a large artifact is run from the file of its weights, as they lie there.
    """
    if mapped:
        monkeypatch.setattr("fgcompile.compiler.backends.onnx.emit.IN_MEMORY", 0)
        monkeypatch.setattr("fgcompile.compiler.checking.emitted.LARGE", 0)

    def emit_with_other_weights(program: FusedProgram) -> bytes | Pair:
        graph_module = copy_graph(program.graph_module)
        for name, value in list(graph_module.named_buffers()):
            if value.is_floating_point():
                setattr(graph_module, name, value * 1.01)
        return emit_onnx(dataclasses.replace(program, graph_module=graph_module))

    monkeypatch.setitem(pipeline.EMITTERS, "onnx", emit_with_other_weights)
    model, x = build("residual", torch.float32)
    with pytest.raises(VerificationError, match="the artifact differs from the eager model: logits"):
        fgcompile.compile(model, x)
    monkeypatch.setitem(pipeline.EMITTERS, "onnx", emit_onnx)
    used = []
    opened = OnnxRuntimeBackend.__init__
    monkeypatch.setattr(
        OnnxRuntimeBackend, "__init__", lambda self, *given: (used.append(self), opened(self, *given))[1]
    )
    fgcompile.compile(model, x)
    assert [isinstance(backend, MappedBackend) for backend in used] == [mapped]


def test_a_linear_layer_is_stored_once() -> None:
    """Its weight backward is that forward, transposed: a file is no larger than the weights but for the graph."""
    model, x = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 128)).eval(), torch.randn(1, 256)
    size = sum(4 * parameter.numel() for parameter in model.parameters())
    artifact = fgcompile.compile(model, x, outputs=("logits", "contributions"))
    assert size < len(artifact.content) < 1.2 * size


def test_samples_that_depend_on_each_other_are_refused() -> None:
    class Centred(ConvNet):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x - x.mean(0, keepdim=True))

    with pytest.raises(CaptureError, match="depends on the other samples of its batch"):
        fgcompile.compile(randomised(Centred()), torch.randn(2, 3, 16, 16))


def test_layers_whose_names_differ_by_a_dot_stay_apart() -> None:
    class Alike(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer_1 = nn.Linear(3, 3)
            self.layer = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer_1(self.layer[1](x).relu())

    model, x = Alike().eval().double(), torch.randn(2, 3, dtype=torch.float64)
    program = fuse(model, x, outputs=("logits", "contributions"))
    logits, contributions = program.graph_module(x, torch.tensor([0, 1]))
    torch.testing.assert_close(logits, model(x).detach())
    torch.testing.assert_close(contributions.sum(1), model(x).detach().diagonal())


SERVE_ONNX = """
import sys
sys.modules.update(dict.fromkeys(("torch", "onnx", "fgcompile")))
import numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
feeds = {"x": numpy.load(sys.argv[2]), "target": numpy.array([1, -1])}
numpy.save(sys.argv[3], session.run(["saliency"], feeds)[0])
"""
SERVE_TORCHSCRIPT = """
import sys
sys.modules["fgcompile"] = None
import numpy, torch
module = torch.jit.load(sys.argv[1])
saliency = module(torch.from_numpy(numpy.load(sys.argv[2])), torch.tensor([1, -1]))[1]
numpy.save(sys.argv[3], saliency.numpy())
"""


@pytest.mark.parametrize(("format", "code"), [("onnx", SERVE_ONNX), ("torchscript", SERVE_TORCHSCRIPT)])
def test_artifacts_are_served_without_fgcompile(format: str, code: str, tmp_path: Path) -> None:
    _, x = build("residual", torch.float32)
    path = tmp_path / f"model{SUFFIXES[format]}"
    compiled("residual", format).save(path)
    np.save(tmp_path / "x.npy", x.numpy())
    arguments = [str(path), str(tmp_path / "x.npy"), str(tmp_path / "map.npy")]
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, *arguments], check=True, cwd=tmp_path)
    expected = fgcompile.load(path).explain(x.numpy(), np.array([1, -1])).saliency
    np.testing.assert_allclose(np.load(tmp_path / "map.npy"), expected, rtol=1e-5, atol=1e-6)


def test_progress_names_every_stage() -> None:
    stages: list[str] = []
    fgcompile.compile(ConvNet().eval(), torch.zeros(1, 3, 16, 16), progress=stages.append)
    assert stages == ["capture", "expose", "fold", "differentiate", "optimise", "check", "emit", "run"]


def test_exported_programs_compile_like_modules() -> None:
    model = randomised(ConvNet())
    x = torch.randn(2, 3, 16, 16)
    exported = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    by_module, by_program = fgcompile.compile(model, x), fgcompile.compile(exported, x)
    assert by_module.metadata["model"]["parameter_digest"] == by_program.metadata["model"]["parameter_digest"]
    assert by_module.metadata["sites"] == by_program.metadata["sites"]


def test_a_model_with_dead_inputs_has_a_zero_gradient_for_them() -> None:
    class Partly(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3))

    inputs = (torch.randn(2, 3, 4, 4), torch.randn(2, 3))
    program = fuse(Partly().eval(), inputs, outputs=("logits", "input_gradient"))
    assert [spec.name for spec in program.outputs] == ["logits", "input_gradient.x", "input_gradient.y"]
    gradients = program.graph_module(*(value.double() for value in inputs), torch.tensor([0, 1]))[1:]
    assert gradients[1].abs().max() == 0
