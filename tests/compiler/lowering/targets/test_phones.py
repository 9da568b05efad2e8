"""What the runtimes of phones refuse is not in exported programs, and what is there instead is the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fgcompile.compiler.lowering import decomposition_table
from fgcompile.compiler.pipeline import fuse

aten = torch.ops.aten


@pytest.mark.parametrize("pad", [(-1, -2), (0, -1, 0, -1), (-1, 2, 3, -2), (2, -1), (-2, 0, 0, 0, 1, 1)])
@pytest.mark.parametrize("value", [0.0, 2.5])
def test_a_crop_is_what_a_negative_padding_was(pad: tuple[int, ...], value: float) -> None:
    x = torch.randn(2, 3, 5, 6)
    lower = decomposition_table("exported", "cpu")[aten.constant_pad_nd.default]
    torch.testing.assert_close(lower(x, pad, value), nn.functional.pad(x, pad, value=value), rtol=0, atol=0)


def test_other_paddings_and_splits_stay() -> None:
    table = decomposition_table("exported", "cuda")
    x = torch.randn(2, 4)
    assert table[aten.constant_pad_nd.default](x, (0, 1)) is NotImplemented
    assert table[aten.split_with_sizes.default](x, [1, 3], 1) is NotImplemented
    (whole,) = table[aten.split_with_sizes.default](x, [4], 1)
    assert torch.equal(whole, x)


def test_a_program_has_neither() -> None:
    """The gradient of a padding crops, and a network of one layer with a bias has one weight to split by."""
    model = nn.Sequential(
        nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, 2, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)
    )
    found = {}
    for format in ("exported", "onnx"):
        graph = fuse(model.eval(), torch.randn(2, 1, 4, 4), format=format).graph_module.graph
        pads = graph.find_nodes(op="call_function", target=aten.constant_pad_nd.default)
        splits = graph.find_nodes(op="call_function", target=aten.split_with_sizes.default)
        crops = [node for node in pads if min(node.args[1]) < 0]  # type: ignore[arg-type, type-var]
        found[format] = len(crops), len([node for node in splits if len(node.args[1]) == 1])  # type: ignore[arg-type]
    assert found["exported"] == (0, 0)
    assert min(found["onnx"]) > 0, "the network has none of what is lowered: it shows nothing"
