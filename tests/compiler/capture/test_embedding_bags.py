"""Bags of embeddings of one length against PyTorch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.support.against_autograd import assert_right


class Bags(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(7, 4, **options)
        self.head = nn.Linear(4, 3)

    def forward(self, ids: Tensor, *factors: Tensor) -> Tensor:
        return self.head(torch.tanh(self.bag(ids, None, *factors)))


IDS = {"shape": (5,), "ids": 7}


@pytest.mark.parametrize(
    "options", [{"mode": mode, "padding_idx": index} for mode in ("sum", "mean", "max") for index in (None, -2)]
)
def test_bags_of_one_length(options: dict[str, Any]) -> None:
    assert_right(Bags(**options), IDS)


def test_bags_of_weighted_embeddings() -> None:
    assert_right(Bags(mode="sum"), IDS, (5,))


def test_a_bag_of_padding_alone_is_zero() -> None:
    for mode in ("mean", "max"):
        assert_right(Bags(mode=mode, padding_idx=0), {"shape": (2,), "ids": 1})
