"""The forms that OpenVINO computes fast are what they replace, and graphs of a shape the one of any."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

import fgcompile
from fgcompile.errors import ArtifactError
from tests.support.networks import randomised

openvino = pytest.importorskip("openvino", reason="needs OpenVINO: pip install 'fgcompile[openvino]'")
ops: Any = pytest.importorskip("openvino.opset13")
forms: Any = pytest.importorskip("fgcompile.runtime.openvino.forms")
OpenVinoBackend: Any = pytest.importorskip("fgcompile.runtime.openvino.backend").OpenVinoBackend
shapes: Any = pytest.importorskip("fgcompile.runtime.openvino.shapes")

RANDOM = np.random.default_rng(0)


def graph(build: Callable[[Any], Any], shape: tuple[int, ...]) -> Any:
    x = ops.parameter(list(shape), np.float32)
    return openvino.Model([ops.result(build(x))], [x])


def run(model: Any, x: NDArray[Any]) -> NDArray[Any]:
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return next(iter(compiled([x]).values()))  # type: ignore[no-any-return]


def kinds(model: Any) -> list[str]:
    return [node.get_type_name() for node in model.get_ordered_ops()]


@pytest.mark.parametrize("open_sizes", [False, True], ids=["sizes", "any sizes"])
@pytest.mark.parametrize(
    ("kernel", "step", "padding", "more"),
    [
        ((7, 7), 2, (3, 3), (1, 1)),
        ((3, 3), 2, (1, 1), (1, 1)),
        ((3, 3), 2, (1, 1), (0, 0)),
        ((3, 5), 2, (0, 2), (1, 0)),
        ((2, 2), 2, (0, 0), (0, 0)),
        ((1, 1), 2, (0, 0), (1, 1)),
        ((4, 4), 4, (0, 0), (3, 0)),
        ((11, 11), 4, (2, 2), (1, 2)),
        ((5, 4), 3, (1, 2), (2, 1)),
    ],
)
def test_transposed_convolutions_become_one_of_all_phases(
    kernel: tuple[int, int], step: int, padding: tuple[int, int], more: tuple[int, int], open_sizes: bool
) -> None:
    weight = RANDOM.standard_normal((4, 3, *kernel)).astype(np.float32)
    x = RANDOM.standard_normal((2, 4, 5, 6)).astype(np.float32)
    expected = F.conv_transpose2d(torch.from_numpy(x), torch.from_numpy(weight), None, step, padding, more).numpy()

    def build(value: Any) -> Any:
        pads = list(padding)
        options = {"output_padding": list(more)}
        return ops.convolution_backprop_data(value, ops.constant(weight), [step] * 2, None, pads, pads, **options)

    model = graph(build, (-1, 4, -1, -1) if open_sizes else (-1, 4, 5, 6))
    forms.take_fast_forms(model)
    assert "ConvolutionBackpropData" not in kinds(model)
    assert "DepthToSpace" in kinds(model)
    np.testing.assert_allclose(run(model, x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("change", ["many channels", "dilation", "one step"])
def test_other_transposed_convolutions_stay(change: str) -> None:
    weight = RANDOM.standard_normal((4, 16 if change == "many channels" else 3, 3, 3)).astype(np.float32)
    steps, gaps = [1 if change == "one step" else 2] * 2, [2 if change == "dilation" else 1] * 2
    model = graph(
        lambda value: ops.convolution_backprop_data(
            value, ops.constant(weight), steps, None, [1, 1], [1, 1], gaps, output_padding=[0, 0]
        ),
        (-1, 4, 5, 6),
    )
    forms.take_fast_forms(model)
    assert "ConvolutionBackpropData" in kinds(model)


@pytest.mark.parametrize("space", [(5, 6), (4, 3, 2)], ids=["2-D", "3-D"])
@pytest.mark.parametrize("row", ["ones", "weights"])
def test_sums_over_channels_need_no_joined_axes(space: tuple[int, ...], row: str) -> None:
    x = RANDOM.standard_normal((2, 7, *space)).astype(np.float32)
    weight = np.ones((1, 1, 7), np.float32) if row == "ones" else RANDOM.standard_normal((1, 1, 7)).astype(np.float32)

    def build(value: Any) -> Any:
        return ops.matmul(ops.constant(weight), ops.reshape(value, [-1, 7, int(np.prod(space))], False), False, False)

    model = graph(build, (-1, 7, *space))
    forms.take_fast_forms(model)
    assert "MatMul" not in kinds(model)
    expected = (x * weight.reshape(7, *[1] * len(space))).sum(1).reshape(2, 1, -1)
    np.testing.assert_allclose(run(model, x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kept", [False, True], ids=["dropped", "kept"])
@pytest.mark.parametrize("axes", [[2], [-1], [1, 2]], ids=str)
@pytest.mark.parametrize("space", [(5, 6), (4, 3, 2)], ids=["2-D", "3-D"])
def test_extremes_are_taken_over_the_axes_of_space(space: tuple[int, ...], axes: list[int], kept: bool) -> None:
    x = RANDOM.standard_normal((2, 7, *space)).astype(np.float32)
    joined = x.reshape(2, 7, -1)
    for reduce, expected in ((ops.reduce_max, joined.max), (ops.reduce_min, joined.min)):
        model = graph(
            lambda value, reduce=reduce: reduce(  # type: ignore[misc]
                ops.reshape(value, [-1, 7, int(np.prod(space))], False), ops.constant(np.array(axes)), kept
            ),
            (-1, 7, *space),
        )
        forms.take_fast_forms(model)
        assert "Reshape" not in kinds(model)
        np.testing.assert_array_equal(run(model, x), expected(axis=tuple(axes), keepdims=kept))


def test_axes_that_are_joined_otherwise_stay() -> None:
    """``(N, C, H, W)`` as ``(N, C · H, W)``: its last axis is not what lies behind the channels."""
    model = graph(
        lambda value: ops.reduce_max(ops.reshape(value, [-1, 14, 5], False), ops.constant(np.array([2])), False),
        (-1, 7, 2, 5),
    )
    forms.take_fast_forms(model)
    assert "Reshape" in kinds(model)


@pytest.mark.parametrize("rank", [3, 5])
def test_values_side_by_side_are_turned(rank: int) -> None:
    x = RANDOM.standard_normal((2, *range(3, rank + 2))[: rank - 1]).astype(np.float32)

    def build(value: Any) -> Any:
        parts = [value, ops.negative(value), ops.abs(value)]
        return ops.concat([ops.unsqueeze(part, ops.constant(np.array([-1]))) for part in parts], -1)

    model = graph(build, (-1, *x.shape[1:]))
    forms.take_fast_forms(model)
    assert "Transpose" in kinds(model)
    np.testing.assert_array_equal(run(model, x), np.stack([x, -x, np.abs(x)], -1))


@pytest.fixture(scope="module")
def artifact() -> Any:
    """Of a network that has all the forms: a strided stem, pooling, sums and extremes."""
    layers = [nn.Conv2d(3, 8, 7, 2, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    layers += [nn.Conv2d(8, 32, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 5)]
    return fgcompile.compile(randomised(nn.Sequential(*layers)), torch.randn(2, 3, 32, 40))


def new_backend(artifact: Any) -> Any:
    return OpenVinoBackend(artifact.content, artifact.metadata, ["OpenVINO"], 1)


def test_calls_of_one_shape_give_the_same_before_and_after_it_has_a_graph_of_its_own(artifact: Any) -> None:
    backend, reference = new_backend(artifact), artifact.session(threads=1)
    for batch in (1, 2, 3, 1, 2, 3, 1, 2, 3, 5):
        x, target = RANDOM.standard_normal((batch, 3, 32, 40)).astype(np.float32), np.zeros(batch, np.int64)
        found, expected = backend.run({"x": x, "target": target}), reference.explain(x, target)
        np.testing.assert_allclose(found["logits"], expected.logits, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found["saliency"], expected.saliency, rtol=1e-3, atol=1e-4)
    own = [dict(shapes)["x"][0] for shapes in backend._graphs._own]
    assert own == [1, 2]  # not 3: they are few


def test_threads_that_meet_while_a_graph_is_compiled_are_answered(artifact: Any) -> None:
    session, reference = artifact.session(["OpenVINO"], threads=1), artifact.session(threads=1)
    inputs = [RANDOM.standard_normal((1 + number % 3, 3, 32, 40)).astype(np.float32) for number in range(24)]
    with ThreadPoolExecutor(4) as pool:
        for x, found in zip(inputs, pool.map(session.explain, inputs), strict=True):
            np.testing.assert_allclose(found.saliency, reference.explain(x).saliency, rtol=1e-3, atol=1e-4)


def test_a_graph_of_a_shape_that_computes_something_else_is_not_kept(
    artifact: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "find_difference", lambda found, expected: ("saliency", 1.0))
    backend = new_backend(artifact)
    for _ in range(3):
        backend.run({"x": np.ones((1, 3, 32, 40), np.float32), "target": np.zeros(1, np.int64)})
    assert not backend._graphs._own


def test_a_shape_of_which_no_graph_can_be_made_is_answered_by_that_of_any(
    artifact: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no kernel")

    backend = new_backend(artifact)
    monkeypatch.setattr(shapes.Compiler, "of", fail)
    feeds = {"x": np.ones((1, 3, 32, 40), np.float32), "target": np.zeros(1, np.int64)}
    first, *others = (backend.run(feeds) for _ in range(4))
    assert all(np.array_equal(first["saliency"], other["saliency"]) for other in others)
    assert [record.name for record in caplog.records] == ["fgcompile.openvino"]  # tried once


@pytest.fixture(scope="module")
def of_any_size() -> Any:
    layers = [nn.Conv2d(3, 8, 3), nn.GELU(), nn.MaxPool2d(3, 3), nn.ReLU(), nn.ConvTranspose2d(8, 16, 1, (3, 1))]
    layers += [nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5)]
    return fgcompile.compile(randomised(nn.Sequential(*layers)), torch.randn(2, 3, 20, 18), dynamic_sizes=True)


def test_of_open_heights_and_widths_each_shape_has_a_graph_and_the_last_are_kept(
    of_any_size: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "KEPT", 2)
    backend, reference = new_backend(of_any_size), of_any_size.session(threads=1)
    for batch, height, width in ((5, 20, 18), (5, 24, 21), (5, 20, 18), (1, 30, 30), (5, 24, 21)):
        x, target = RANDOM.standard_normal((batch, 3, height, width)).astype(np.float32), np.zeros(batch, np.int64)
        found, expected = backend.run({"x": x, "target": target}), reference.explain(x, target)
        np.testing.assert_allclose(found["logits"], expected.logits, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found["saliency"], expected.saliency, rtol=1e-3, atol=1e-4)
    assert [dict(each)["x"][2:] for each in backend._graphs._graphs] == [(30, 30), (24, 21)]


def test_a_shape_whose_graph_computes_something_else_is_refused(
    of_any_size: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = new_backend(of_any_size)
    feeds = {"x": np.ones((1, 3, 22, 22), np.float32), "target": np.zeros(1, np.int64)}
    monkeypatch.setattr("fgcompile.runtime.openvino.agreement.find_difference", lambda found, expected: ("saliency", 1))
    for _ in range(2):  # neither the first call nor one after it
        with pytest.raises(ArtifactError, match="OpenVINO computes another saliency"):
            backend.run(feeds)
