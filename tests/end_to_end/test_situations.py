"""The networks that public reports are about: fused, in batches of 1, 2 and 5, against eager autograd in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fgcompile.compiler.pipeline import fuse
from tests.support.against_autograd import assert_right, first_logit
from tests.support.situations.attention import (
    AdaptedAttention,
    AttentiveLSTM,
    FourierFeatures,
    Queries,
    SparseSteps,
    TextVectors,
    TiedLanguageModel,
    rearranged,
)
from tests.support.situations.convolutions import (
    AnchorBoxes,
    DenseHeads,
    DistributedBoxes,
    GatedUNet,
    MemoryBank,
    PaddedUNet,
    Parametrised,
    Siamese,
    Writes,
    largest_class,
)
from tests.support.sweeps import quick

BOTH = ("taylor", "libragrad")
TOKENS = {"shape": (3,), "ids": 20}


def itself(output: Tensor) -> Tensor:
    return output


def mean_of_a_class(output: Tensor) -> Tensor:
    return output[:, 1].mean((1, 2))


@dataclass(frozen=True)
class Situation:
    """What ``assert_right`` takes."""

    build: Callable[[], nn.Module]
    inputs: tuple[Any, ...]
    score: Callable[[Any], Tensor] = first_logit
    rules: tuple[str, ...] = ("taylor",)
    other_sizes: tuple[Any, ...] = field(default=())


SITUATIONS: Mapping[str, Situation] = {
    "writes in place and by masks": Situation(Writes, ((3, 6, 6),)),
    "shared layers and weights": Situation(TiedLanguageModel, (TOKENS,), lambda y: y[:, -1, 3], BOTH),
    "yolo, anchors": Situation(AnchorBoxes, ((3, 16, 16),), largest_class),
    "yolo, distributions": Situation(DistributedBoxes, ((3, 16, 16),), lambda y: y[:, 4:].amax((1, 2))),
    "siamese": Situation(Siamese, ((3, 6, 6), (3, 6, 6)), itself),
    "u-net, padded": Situation(PaddedUNet, ((1, 10, 14),), mean_of_a_class, other_sizes=([(1, 12, 9)], [(1, 23, 17)])),
    "u-net, gated": Situation(GatedUNet, ((1, 12, 12),), mean_of_a_class, other_sizes=([(1, 8, 16)], [(1, 20, 27)])),
    "lora": Situation(AdaptedAttention, ((5, 8),), rules=BOTH),
    "detr": Situation(Queries, ((3, 12, 12),), lambda y: y["logits"][..., :-1].amax((1, 2)), BOTH),
    "retinanet": Situation(DenseHeads, ((3, 16, 16),), lambda y: y[0].sigmoid().amax((1, 2))),
    "clip against vectors of texts": Situation(TextVectors, ((3, 8, 8),), rules=BOTH),
    "weight and spectral norm": Situation(Parametrised, ((3, 8, 8),)),
    "bidirectional lstm": Situation(AttentiveLSTM, (TOKENS,)),
    "radiance field": Situation(FourierFeatures, ((4, 3),)),
    "memory bank": Situation(MemoryBank, ((3, 12, 12),), itself),
    "sparsemax": Situation(SparseSteps, ((6,),)),
}


@pytest.mark.parametrize("name", quick(SITUATIONS, "bidirectional lstm", "memory bank"))
def test_logits_gradients_and_terms_are_those_of_the_eager_network(name: str) -> None:
    row = SITUATIONS[name]
    assert_right(row.build(), *row.inputs, score=row.score, rules=row.rules, other_sizes=row.other_sizes)


def test_a_network_written_with_einops() -> None:
    pytest.importorskip("einops", reason="needs einops: pip install einops")
    assert_right(rearranged(), (3, 8, 8), rules=BOTH)


def test_a_time_major_output_is_returned_as_it_is() -> None:
    class TimeMajor(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent = nn.GRU(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.recurrent(x.transpose(0, 1))[0]

    model, x = TimeMajor().eval(), torch.randn(2, 3, 3)
    outputs = ("logits", "contributions", "input_gradient")
    program = fuse(model.double(), x.double(), target=lambda y: y[2, :, 1], outputs=outputs)
    leaf = torch.randn(5, 3, 3, dtype=torch.float64, requires_grad=True)
    explained = model(leaf)[2, :, 1]
    (expected,) = torch.autograd.grad(explained.sum(), leaf)
    logits, terms, gradient = program.graph_module(leaf.detach())
    torch.testing.assert_close(logits, model(leaf).detach())
    torch.testing.assert_close(terms.sum(1), explained.detach(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-9)
