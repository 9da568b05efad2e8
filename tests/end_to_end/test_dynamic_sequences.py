"""dynamic_sizes over sequences: features (N, L, C), the batch on the second axis, signals (N, L), and token ids."""

from __future__ import annotations

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
from fgcompile.compiler.request import Request
from fgcompile.errors import FgcompileError
from tests.support.sweeps import few

OUTPUTS = ("logits", "saliency", "contributions")


class Attending(nn.Module):
    """One layer of a Transformer over what ``embed`` makes of the input, with positions from a table of 16."""

    def __init__(self, embed: nn.Module, batch: int = 0) -> None:
        super().__init__()
        self.embed, self.positions, self.batch = embed, nn.Embedding(16, 4), batch
        self.qkv, self.head = nn.Linear(4, 12), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.embed(x).movedim(self.batch, 0)
        y = y + self.positions(torch.arange(y.shape[1], device=x.device))
        q, k, v = self.qkv(y).chunk(3, -1)
        return self.head(F.silu(y + F.scaled_dot_product_attention(q, k, v)).mean(1))


class Signal(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Conv1d(1, 4, 5, 2), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.silu(self.layer(x[:, None])).mean(2))


def ids(samples: int, length: int) -> Tensor:
    return torch.randint(0, 9, (samples, length), generator=torch.Generator().manual_seed(length))


CASES: dict[str, tuple[nn.Module, Any, dict[str, Any]]] = {
    "features": (Attending(nn.Linear(5, 4)), lambda n, size: torch.randn(n, size, 5).double(), {}),
    "batch behind": (
        Attending(nn.Linear(5, 4), 1),
        lambda n, size: torch.randn(size, n, 5).double(),
        {"layouts": {"x": "l n c"}},
    ),
    "ids": (Attending(nn.Embedding(9, 4)), ids, {}),
    "signal": (Signal(), lambda n, size: torch.randn(n, size).double(), {}),
}


@pytest.mark.parametrize("name", few(CASES, 1))
def test_sequences_of_any_length(name: str) -> None:
    model, make, options = CASES[name]
    model = model.double().eval()
    program = fuse(model, make(2, 12), target=1, outputs=OUTPUTS, dynamic_sizes=True, **options)
    axis = 1 if options else 0
    assert program.inputs[0].shape[:2] == (("length", "batch") if axis else ("batch", "length"))
    for samples, length in ((1, 12), (3, 7), (2, 16)):
        x = make(samples, length)
        found = dict(zip(OUTPUTS, program.graph_module(x), strict=True))
        # Of the model captured at that very length.
        fixed = fuse(model, x, target=1, outputs=OUTPUTS, **options)
        for value, output in zip(fixed.graph_module(x), OUTPUTS, strict=True):
            assert relative_difference(found[output], value) <= 1e-9
        assert relative_difference(found["logits"], model(x)) <= 1e-9
        assert relative_difference(found["contributions"].sum(1), model(x)[:, 1]) <= 1e-9


def test_the_terms_of_ids_are_eager_ones() -> None:
    model, x = CASES["ids"][0].double().eval(), ids(3, 7)
    request = Request(outputs=OUTPUTS, target=1, psi="fullgrad")
    expected = evaluate_outputs(expose(capture(model, x)), request, (x,), torch.full((3,), -1), torch.float64)
    program = fuse(model, ids(2, 12), target=1, outputs=OUTPUTS, dynamic_sizes=True)
    for spec, value in zip(program.outputs, program.graph_module(x), strict=True):
        assert relative_difference(value, expected[spec.name]) <= 1e-9


def test_an_artifact_takes_texts_up_to_the_end_of_the_table(tmp_path: Path) -> None:
    model, path = CASES["ids"][0].float().eval(), tmp_path / "model.pt"
    fgcompile.compile(model, ids(2, 12), format="torchscript", target=1, dynamic_sizes=True).save(path)
    session = fgcompile.load(path)
    explanation = session.explain(ids(3, 16).numpy())
    assert explanation.saliency is not None
    assert explanation.saliency.shape == (3, 1, 16)
    np.testing.assert_allclose(explanation.logits, model(ids(3, 16)).detach().numpy(), atol=1e-5)
    with pytest.raises(FgcompileError):
        session.explain(ids(1, 17).numpy())
