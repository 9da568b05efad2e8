"""Sizes that a file computes with are right at every batch, not only at the example's; what would choose is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch.overrides import TorchFunctionMode

from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.capture.onnx.read import read_onnx
from fgcompile.errors import FgcompileError
from tests.compiler.capture.onnx.files import assert_same, graph, model, node, onnx_runtime, random

TO_REAL, TO_INTEGER = {"to": onnx.TensorProto.FLOAT}, {"to": onnx.TensorProto.INT64}

SIZES: dict[str, list[onnx.NodeProto]] = {
    "sum": [node("Add", "n three", "a"), node("Sub", "a two", "b"), node("Neg", "b", "c"), node("Abs", "c", "s")],
    "product": [node("Mul", "n three", "a"), node("Div", "a two", "b"), node("Mod", "b three", "s")],
    "power": [node("Pow", "n two", "s")],
    "bounds": [node("Max", "n three", "a"), node("Min", "a four n", "b"), node("Clip", "b two four", "s")],
    "reductions": [
        node("Concat", "n three n two", "a", axis=0),
        node("ReduceProd", "a", "b", keepdims=1),
        node("ReduceSum", "a", "c", keepdims=1),
        node("ReduceMax", "a", "d", keepdims=1),
        node("ReduceMin", "a", "e", keepdims=1),
        node("Concat", "b c d e", "s", axis=0),
    ],
    "rounding": [
        node("Cast", "n", "a", **TO_REAL),
        node("Mul", "a part", "b"),
        node("Floor", "b", "c"),
        node("Ceil", "b", "d"),
        node("Add", "c d", "e"),
        node("Cast", "e", "s", **TO_INTEGER),
    ],
    "comparisons": [
        node("Greater", "n none", "a"),
        node("Less", "n none", "b"),
        node("Not", "b", "c"),
        node("And", "a c", "d"),
        node("Where", "d n two", "s"),
    ],
}
NUMBERS: dict[str, Any] = {name: np.array([number]) for name, number in (("two", 2), ("three", 3), ("four", 4))}
NUMBERS |= {"first": np.array([0]), "second": np.array([1]), "none": np.array([0]), "part": np.float32(0.4)}


def _saved(path: Path, nodes: list[onnx.NodeProto]) -> Path:
    begin = [node("Shape", "x", "sizes"), node("Slice", "sizes first second", "n")]
    end = [node("Cast", "s", "r", **TO_REAL), node("ReduceSum", "r", "t", keepdims=0), node("Mul", "x t", "y")]
    bounds = {name: NUMBERS[name].reshape(()) for name in ("two", "four")} if nodes[-1].op_type == "Clip" else {}
    proto = graph([*begin, *nodes, *end], {"x": ("float32", ["n", 2])}, ["y"], {**NUMBERS, **bounds})
    onnx.save(model(proto), path)
    return path


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_those_of_the_batch(name: str, tmp_path: Path) -> None:
    path = _saved(tmp_path / "model.onnx", SIZES[name])
    captured, original = capture(read_onnx(path), torch.from_numpy(random(2, 2))), onnx_runtime(path)
    for batch in (1, 3, 7):
        x = random(batch, 2, seed=batch)
        (expected,) = original.run(None, {"x": x})
        (actual,) = captured.graph_module(torch.from_numpy(x))
        np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=1e-6)


def test_what_chooses_by_the_batch_is_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path / "model.onnx", [node("Equal", "n three", "a"), node("Where", "a n two", "s")])
    with pytest.raises(FgcompileError, match=r"Where 'Where_s': it chooses by a size that is dynamic"):
        capture(read_onnx(path), torch.from_numpy(random(2, 2)))


def test_numbers_are_computed_without_a_switch_of_gradients(tmp_path: Path) -> None:
    """Each switch would split the graph that is exported, which takes a time that grows with the square of them."""

    class Switches(TorchFunctionMode):
        count = 0

        def __torch_function__(
            self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            Switches.count += function is torch._C._set_grad_enabled
            return function(*args, **(kwargs or {}))

    nodes = [node("Shape", "x", "s"), node("Gather", "s one", "length"), node("Range", "zero length one", "places")]
    nodes += [node("Cast", "places", "numbers", to=1), node("Sin", "numbers", "waves"), node("Add", "x waves", "y")]
    constants = {"zero": np.int64(0), "one": np.int64(1)}
    proto = model(graph(nodes, {"x": ("float32", ["n", 6])}, ["y"], constants))
    assert_same(proto, {"x": random(2, 6)}, tmp_path)
    read = read_onnx(tmp_path / "model.onnx")
    with Switches():
        read(torch.zeros(2, 6))
    assert Switches.count == 0
