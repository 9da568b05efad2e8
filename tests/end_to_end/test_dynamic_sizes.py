"""dynamic_sizes: one graph for inputs of any size, and a clear refusal of models that fix it."""

from __future__ import annotations

import functools
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.checking.differences import relative_difference
from fgcompile.compiler.expose.expose import expose
from fgcompile.compiler.fullgrad.eager import evaluate_outputs
from fgcompile.compiler.pipeline import fuse
from fgcompile.compiler.request import Request, Target
from fgcompile.errors import CaptureError, InputError
from tests.support.dynamic_networks import CASES, DynamicCase, Strides, UNet, mean_of_first
from tests.support.sweeps import crossed, few

SUFFIXES = {"onnx": ".onnx", "torchscript": ".pt"}
OUTPUTS = ("logits", "saliency", "contributions", "input_gradient")
QUICK = ("unet",)
IN_ARTIFACTS = ("strides", "unet")


def slow_but_for(quick: tuple[str, ...]) -> list[Any]:
    """Every case's name; those not in ``quick`` are for the wide sweeps."""
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in CASES]


def inputs_of(shapes: tuple[tuple[int, ...], ...], batch: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(batch)
    return tuple(torch.randn(batch, *shape, generator=generator, dtype=torch.float64) for shape in shapes)


def target_of(case: DynamicCase) -> Target:
    return mean_of_first if case.dense else 1


@functools.cache
def expected_of(name: str, shapes: tuple[tuple[int, ...], ...], batch: int, psi: str = "fullgrad") -> dict[str, Tensor]:
    """The eager outputs of the model captured at the very sizes of ``inputs_of(shapes, batch)``."""
    case, inputs = CASES[name], inputs_of(shapes, batch)
    request = Request(outputs=OUTPUTS, target=target_of(case), psi=psi)
    score = request.target if callable(request.target) else None
    program = expose(capture(case.build(), inputs, score))
    return evaluate_outputs(program, request, inputs, torch.full((batch,), -1), torch.float64)


@pytest.mark.parametrize("name", slow_but_for(QUICK))
def test_the_fused_graph_is_right_at_every_size(name: str) -> None:
    case = CASES[name]
    model = case.build()
    program = fuse(
        model, inputs_of(case.example, 1), outputs=OUTPUTS, target=target_of(case), biases="inputs", dynamic_sizes=True
    )
    defaults = [spec.default for spec in program.inputs if spec.default is not None]
    for batch, shapes in enumerate((*case.others, case.example), start=1):
        inputs = inputs_of(shapes, batch)
        outputs = program.graph_module(*inputs, *defaults)
        expected = expected_of(name, shapes, batch)
        for spec, value in zip(program.outputs, outputs, strict=True):
            assert relative_difference(value, expected[spec.name]) <= 1e-9, (spec.name, shapes)


@pytest.mark.slow
@pytest.mark.parametrize("psi", ["fullgrad", "grad-cam"])
def test_folded_graphs_are_right_at_every_size_under_each_psi(psi: str) -> None:
    case = CASES["strides"]
    model = case.build()
    outputs = ("logits", "saliency")
    program = fuse(model, inputs_of(case.example, 1), outputs=outputs, target=1, psi=psi, dynamic_sizes=True)
    for batch, shapes in enumerate(case.others, start=1):
        inputs = inputs_of(shapes, batch)
        logits, saliency = program.graph_module(*inputs)
        expected = expected_of("strides", shapes, batch, psi)
        assert relative_difference(logits, expected["logits"]) <= 1e-9
        assert relative_difference(saliency, expected["saliency"]) <= 1e-9
        assert saliency.shape == (batch, 1, *shapes[0][1:])


@pytest.mark.parametrize(
    ("name", "format"),
    few(crossed(IN_ARTIFACTS, SUFFIXES), 1)
    + [pytest.param(*pair, marks=pytest.mark.slow) for pair in product(CASES, SUFFIXES) if pair[0] not in IN_ARTIFACTS],
)
def test_artifacts_take_every_size(name: str, format: str, tmp_path: Path) -> None:
    case = CASES[name]
    model = case.build()
    path = tmp_path / f"model{SUFFIXES[format]}"
    fgcompile.compile(
        model, inputs_of(case.example, 1), format=format, outputs=OUTPUTS, target=target_of(case), dynamic_sizes=True
    ).save(path)
    session = fgcompile.load(path)
    for batch, shapes in enumerate(case.others, start=1):
        inputs = inputs_of(shapes, batch)
        expected = expected_of(name, shapes, batch)
        explanation = session.explain(tuple(value.float().numpy() for value in inputs))
        assert explanation.saliency.shape == (batch, 1, *shapes[0][1:])
        for value, exact in ((explanation.logits, expected["logits"]), (explanation.saliency, expected["saliency"])):
            assert np.abs(value - exact.numpy()).mean() <= 1e-4 * exact.abs().max().item()


@pytest.mark.slow
def test_the_metadata_name_the_sizes() -> None:
    model, x = Strides().eval(), torch.randn(1, 3, 40, 44)
    metadata = fgcompile.compile(model, x, format="torchscript", dynamic_sizes=True).metadata
    assert metadata["inputs"][0]["shape"] == ["batch", 3, "height", "width"]
    assert metadata["inputs"][0]["example"] == [1, 3, 40, 44]
    assert metadata["outputs"][1]["shape"] == ["batch", 1, "height", "width"]
    assert metadata["sites"][0]["shape"] == ["batch", 8, "((height - 1)//2) + 1", "((width - 1)//2) + 1"]


@pytest.mark.slow
def test_multiples_are_found_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "unet.pt"
    model = UNet().eval()
    artifact = fgcompile.compile(
        model, torch.randn(1, 3, 16, 16), format="torchscript", target=mean_of_first, dynamic_sizes=True
    )
    artifact.save(path)
    assert artifact.metadata["inputs"][0]["shape"] == ["batch", 3, "4*height", "4*width"]
    with pytest.raises(InputError, match="axis 3 must be a multiple of 4, not 18"):
        fgcompile.load(path).explain(np.zeros((1, 3, 20, 18), np.float32))
    with pytest.raises(InputError, match=r"steps of 4, and axis 3 of the example has 4: .* multiple of 4, at least 8"):
        fuse(model, torch.randn(1, 3, 16, 4), target=mean_of_first, dynamic_sizes=True)


@pytest.mark.slow
def test_sizes_of_several_inputs_are_shared_where_the_model_wants_it() -> None:
    case = CASES["inputs"]
    program = fuse(case.build(), inputs_of(case.example, 1), target=1, dynamic_sizes=True)
    assert [spec.shape for spec in program.inputs] == [
        ("batch", 3, "height", "width"),
        ("batch", 1, "height", "width"),
        ("batch", 2, "length"),
    ]


@pytest.mark.slow
def test_raw_photos_of_any_size() -> None:
    preprocess = fgcompile.Preprocess((0.5,) * 3, (0.25,) * 3)
    model = Strides().eval()
    program = fuse(model, torch.randn(1, 3, 40, 44), preprocess=preprocess, dynamic_sizes=True)
    assert program.inputs[0].shape == ("batch", "height", "width", 3)
    photo = torch.randint(0, 256, (2, 37, 51, 3), dtype=torch.uint8)
    logits, saliency = program.graph_module(photo, torch.tensor([0, -1]))
    expected = model.double()((photo.permute(0, 3, 1, 2).double() / 255 - 0.5) / 0.25)
    torch.testing.assert_close(logits, expected)
    assert saliency.shape == (2, 1, 37, 51)


class Flattened(nn.Module):
    """A linear layer over all places, which fixes the size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.classifier = nn.Conv2d(3, 4, 3, stride=2), nn.Linear(4 * 7 * 7, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(F.relu(self.conv(x)).flatten(1))


class Attention(nn.Module):
    """Places become tokens, and a bias is added to them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.token, self.head = nn.Conv2d(3, 4, 4, stride=4), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.token(self.conv(x).flatten(2).transpose(1, 2)).mean(1))


class Windows(nn.Module):
    """Places become windows of four, in which tokens are."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.window, self.head = nn.Conv2d(3, 4, 1), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        n, c, h, w = y.shape
        windows = y.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(-1, 4, c)
        return self.head(self.window(windows).reshape(n, -1, c).mean(1))


class Written(nn.Module):
    """A size that is written as a number."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).reshape(-1, 4, 14 * 14).mean(2))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Flattened(), r"'classifier' fixes the size of the input, so it cannot be dynamic \(mat1 and mat2"),
        (Windows(), r"'window' has the layout '\(n h w\) \(h w\) c', for which sizes must be fixed"),
        (Written(), "'Written' fixes the size of the input"),
    ],
    ids=["flattened", "windows", "number"],
)
def test_models_that_fix_the_size_are_refused_by_the_layer(model: nn.Module, message: str) -> None:
    with pytest.raises(CaptureError, match=message) as caught:
        fuse(model.eval(), torch.randn(1, 3, 16, 16), dynamic_sizes=True)
    assert "\n" not in str(caught.value)


def test_tokens_may_be_kept_out_of_the_map() -> None:
    model, x = Attention().double().eval(), torch.randn(2, 3, 16, 16, dtype=torch.float64)
    program = fuse(model, x, dynamic_sizes=True, layouts={"token*": "none", "head*": "none"})
    larger = torch.randn(3, 3, 20, 28, dtype=torch.float64)
    torch.testing.assert_close(program.graph_module(larger, torch.tensor([0, 1, 2]))[0], model(larger))


def test_refusals_of_what_cannot_be_dynamic() -> None:
    model = Strides().eval()
    with pytest.raises(InputError, match="no input has any"):
        fuse(nn.Linear(3, 2).eval(), torch.randn(1, 3), dynamic_sizes=True)
    with pytest.raises(InputError, match="leave out dynamic_sizes"):
        fuse(model, torch.randn(1, 3, 40, 40), method="smooth_fullgrad", dynamic_sizes=True)
    with pytest.raises(InputError, match="pass a larger example"):
        fuse(model, torch.randn(1, 3, 8, 8), dynamic_sizes=True)
    exported = torch.export.export(
        model, (torch.randn(2, 3, 40, 40),), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    with pytest.raises(CaptureError, match="fixes the spatial size of its input"):
        fuse(exported, torch.randn(2, 3, 40, 40), dynamic_sizes=True)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells, self.head = nn.LSTM(4, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cells(x)[0].mean(1))


def test_a_recurrent_layer_is_named_that_fixes_the_length() -> None:
    with pytest.raises(CaptureError, match="its recurrent layer 'cells' is written out step by step"):
        fgcompile.compile(Recurrent().eval(), torch.randn(2, 6, 4), dynamic_sizes=True)
