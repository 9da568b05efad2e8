"""A size of the example's that is left in a graph is found by running it, and named by its layer."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from fgcompile.compiler.checking.shapes import run_at
from fgcompile.compiler.checking.sizes import example_sizes, other_sizes
from fgcompile.compiler.ir.programs import FusedProgram
from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import CaptureError

aten = torch.ops.aten


class Patches(nn.Module):
    """Patches of four samples, each a token, and a reshape over all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.mix, self.head = nn.Conv1d(2, 6, 4, 4), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).transpose(1, 2)
        mixed = self.mix(tokens.transpose(0, 1).reshape(-1, 6)).reshape(-1, x.shape[0], 6)
        return self.head(mixed.relu().mean(0))


@pytest.fixture(scope="module")
def program() -> FusedProgram:
    torch.manual_seed(0)
    outputs = ("logits", "saliency", "contributions", "bias_gradients")
    return fuse(Patches().eval(), torch.randn(2, 2, 64), outputs=outputs, target=1, dynamic_sizes=True)


def test_other_sizes_change_the_number_of_patches(program: FusedProgram) -> None:
    assert example_sizes(program) == {"length": 64}
    assert other_sizes(program) == [{"length": 69}, {"length": 63}]


def test_tokens_folded_into_the_batch_are_those_of_the_input(program: FusedProgram) -> None:
    torch.manual_seed(0)
    model = Patches().double().eval()
    for batch, length in ((1, 16), (2, 63), (5, 130)):
        x = torch.randn(batch, 2, length, dtype=torch.float64)
        named = dict(zip((spec.name for spec in program.outputs), run_at(program, [x]), strict=True))
        torch.testing.assert_close(named["logits"], model(x))
        assert named["saliency"].shape == (batch, 1, length)
        torch.testing.assert_close(named["contributions"].sum(1), model(x)[:, 1])
        assert named["bias_gradients.mix"].shape == (batch, length // 4, 6)


def test_a_batch_inside_is_put_in_front() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.lstm(x)[0].mean(1))

    outputs = ("contributions", "bias_gradients")
    program = fuse(Recurrent().eval(), torch.randn(1, 3, 3), outputs=outputs, target=0)
    contributions, *gradients = run_at(program, [torch.randn(3, 3, 3, dtype=torch.float64)])
    assert {value.shape[0] for value in gradients} == {3}
    sums = torch.stack([value.flatten(1).sum(1) for value in gradients], 1)
    torch.testing.assert_close(sums.sum(1), contributions[:, 1:].sum(1))


def test_a_number_of_patches_left_in_a_reshape_is_named(program: FusedProgram) -> None:
    graph_module = torch.fx.GraphModule(program.graph_module, program.graph_module.graph)
    reshape = next(
        node
        for node in graph_module.graph.find_nodes(op="call_function", target=aten.reshape.default)
        if len(node.meta["val"].shape) == 3 and not isinstance(node.args[1][0], int)
    )
    reshape.args = (reshape.args[0], [16, -1, reshape.args[1][2]])
    baked = replace(program, graph_module=graph_module)
    run_at(baked, [torch.randn(2, 2, 65, dtype=torch.float64)])
    with pytest.raises(CaptureError, match=r"is right at the example's sizes and not at batch 2, length 69"):
        run_at(baked, [torch.randn(2, 2, 69, dtype=torch.float64)])
