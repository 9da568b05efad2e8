"""Scores that index the output, at constants or at integers given at run time, against eager autograd in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import CaptureError, InputError
from tests.support.sweeps import few

TOKENS, PICTURES = (5, 4), (2, 4, 5)
TOP = {"p": (5, ()), "t": (7, ())}
"""The largest index and the shape for each sample, of the inputs of scores over (N, 5, 7)."""


def network(shape: tuple[int, ...]) -> nn.Module:
    """To (N, 5, 7) from tokens, to (N, 6, 4, 5) from pictures."""
    torch.manual_seed(0)
    layer = nn.Linear(4, 7) if shape == TOKENS else nn.Conv2d(2, 6, 3, padding=1)
    return nn.Sequential(layer, nn.Tanh()).eval().double()


def own(y: Tensor) -> Tensor:
    return torch.arange(y.shape[0], device=y.device)


def at_position(y: Tensor, p: Tensor, t: Tensor) -> Tensor:
    return y[own(y), p, t]


SCORES: dict[str, tuple[tuple[int, ...], Callable[..., Tensor], Mapping[str, tuple[int, tuple[int, ...]]]]] = {
    "position and token": (TOKENS, at_position, TOP),
    "one after the other": (TOKENS, lambda y, p, t: y[own(y), p][own(y), t], TOP),
    "all positions": (TOKENS, lambda y, t: y[own(y), :, t].sum(1), {"t": (7, ())}),
    "the last position": (TOKENS, lambda y, t: y[:, -1][own(y), t], {"t": (7, ())}),
    "several": (TOKENS, lambda y, p, t: y[own(y)[:, None], p, t].sum(1), {"p": (5, (3,)), "t": (7, (3,))}),
    "gather": (TOKENS, lambda y, t: y[:, 1].gather(1, t.unsqueeze(1)).squeeze(1), {"t": (7, ())}),
    "take_along_dim": (TOKENS, lambda y, t: y.take_along_dim(t[:, None, None], 2).sum((1, 2)), {"t": (7, ())}),
    "columns of one input": (TOKENS, lambda y, at: y[own(y), at[:, 0], at[:, 1]], {"at": (5, (2,))}),
    "topk": (TOKENS, lambda y: y[:, -1].topk(3).values.sum(1), {}),
    "constants": (TOKENS, lambda y: y[:, [0, -1], [2, -3]].sum(1), {}),
    "index_select": (TOKENS, lambda y: y.index_select(2, torch.tensor([1, 4])).sum((1, 2)), {}),
    "pixel": (PICTURES, lambda y, c, i, j: y[own(y), c, i, j], {"c": (6, ()), "i": (4, ()), "j": (5, ())}),
    "pixel of all channels": (PICTURES, lambda y, i, j: y[own(y), :, i, j].norm(dim=1), {"i": (4, ()), "j": (5, ())}),
    "diagonal": (PICTURES, lambda y: y.diagonal(dim1=2, dim2=3).sum((1, 2)), {}),
    "flattened": (PICTURES, lambda y, k: y.flatten(1)[own(y), k], {"k": (120, ())}),
}


def integers(extras: Mapping[str, tuple[int, tuple[int, ...]]], batch: int) -> dict[str, Tensor]:
    return {name: torch.randint(high, (batch, *shape)) for name, (high, shape) in extras.items()}


@pytest.mark.parametrize("name", few(SCORES, 7))
def test_gradients_are_those_of_autograd_at_any_batch(name: str) -> None:
    shape, score, extras = SCORES[name]
    model = network(shape)
    program = fuse(
        model,
        torch.randn(1, *shape, dtype=torch.float64),
        target=score,
        score_inputs=integers(extras, 1),
        outputs=("logits", "contributions", "input_gradient"),
    )
    for batch in (1, 2, 5):
        x, given = torch.randn(batch, *shape, dtype=torch.float64, requires_grad=True), integers(extras, batch)
        expected = score(model(x), **given)
        (gradient,) = torch.autograd.grad(expected.sum(), x)
        with torch.no_grad():
            _, contributions, found = program.graph_module(x.detach(), *given.values())
        torch.testing.assert_close(found, gradient, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(contributions.sum(1), expected.detach(), rtol=1e-10, atol=1e-12)


def test_an_artifact_takes_indices_from_the_end_and_refuses_those_out_of_range(tmp_path: Path) -> None:
    x = torch.randn(2, *TOKENS)
    artifact = fgcompile.compile(
        network(TOKENS).float(),
        x,
        target=at_position,
        score_inputs=integers(TOP, 1),
        outputs=("logits", "contributions"),
    )
    artifact.save(tmp_path / "model.onnx")
    session = fgcompile.load(tmp_path / "model.onnx")

    def explain(p: list[int], t: list[int]) -> np.ndarray:
        found = session.explain({"x": x.numpy(), "p": np.array(p), "t": np.array(t)}).contributions
        assert found is not None
        return found

    np.testing.assert_array_equal(explain([-1, 0], [-7, 6]), explain([4, 0], [0, 6]))
    with pytest.raises(
        InputError, match=r"p has 99 at index \(1,\), out of range: give 0 to 4, or -1 to -5 from the end"
    ):
        explain([0, 99], [0, 0])
    with pytest.raises(InputError, match="t has -8 at index"):
        explain([0, 0], [-8, 0])


def test_what_reads_other_samples_is_refused_by_name() -> None:
    with pytest.raises(CaptureError, match=r"what 'score\.sum'.* makes of a sample depends on the other samples"):
        fgcompile.compile(
            network(TOKENS).float(),
            torch.randn(2, *TOKENS),
            target=lambda y, t: y[:, 0, t].sum(1),
            score_inputs={"t": torch.tensor([0, 1])},
        )
