"""A model that goes another way at other sizes than the example's: refused by its line, or taken where it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.errors import CaptureError, InputError
from tests.support.dynamic_networks import CASES
from tests.support.sweeps import few


class Deciding(nn.Module):
    """A layer, and what a function makes of its values."""

    def __init__(self, decide: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.decide = nn.Conv1d(1, 2, 3, padding=1), decide

    def forward(self, x: Tensor) -> Tensor:
        return self.decide(self.layer(x)).mean(2)


def turns_of(decide: Callable[[Tensor], Tensor]) -> dict[str, int]:
    return below(capture(Deciding(decide).eval(), torch.randn(2, 1, 24), dynamic_sizes=True))


def below(captured: CapturedProgram) -> dict[str, int]:
    """The largest size of each axis at which the graph is not the model."""
    found: dict[str, int] = {}
    for sizes in captured.other_below:
        found |= {name: max(size, found.get(name, 0)) for name, size in sizes.items()}
    return found


@pytest.mark.parametrize(
    ("decide", "size"),
    [
        (lambda y: y.exp() if y.shape[2] < 30 else -y, 30),
        (lambda y: y.exp() if y.shape[2] % 2 == 0 else -y, 25),
        (lambda y: (F.pad(y, (0, 1)) if y.shape[2] % 2 else y).exp(), 25),
        (lambda y: y.exp() if y.shape[2] // 3 != 9 else -y, 27),
    ],
    ids=["larger", "odd", "padded", "one"],
)
def test_another_way_at_larger_sizes_is_refused_by_its_line(decide: Callable[[Tensor], Tensor], size: int) -> None:
    line = f"{Path(__file__).name}:{decide.__code__.co_firstlineno}"
    with pytest.raises(
        CaptureError, match=rf"decides by the sizes of its input at \S*{line}, .* inputs of shape \(5, 1, {size}\) too"
    ):
        turns_of(decide)


def test_another_way_at_smaller_sizes_is_where_the_artifact_ends(tmp_path: Path) -> None:
    def decide(y: Tensor) -> Tensor:
        return y.exp() if y.shape[2] > 10 else -y

    assert turns_of(decide) == {"length": 10}
    path = tmp_path / "model.pt"
    fgcompile.compile(Deciding(decide).eval(), torch.randn(2, 1, 24), format="torchscript", dynamic_sizes=True).save(
        path
    )
    session = fgcompile.load(path)
    session.explain(np.zeros((1, 1, 11), np.float32))
    with pytest.raises(InputError, match="11"):
        session.explain(np.zeros((1, 1, 10), np.float32))


def test_what_makes_no_difference_is_none() -> None:
    assert turns_of(lambda y: y.tanh() if y.shape[2] > 10 else -(-y).tanh()) == {}


@pytest.mark.parametrize("name", few(["unet", "strides", "poolings", "enlarged", "inputs", "tokens"], 3))
def test_networks_of_any_size_have_no_turns(name: str) -> None:
    case = CASES[name]
    examples = tuple(torch.randn(2, *shape, dtype=torch.float64) for shape in case.example)
    turns = below(capture(case.build(), examples, dynamic_sizes=True))
    assert max(turns.values(), default=0) <= (7 if name == "tokens" else 2)  # below two patches there are no tokens
