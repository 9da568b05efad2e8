"""``psi="signed"``: the maps and the terms without a place add up to the score, whatever the layers' sizes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.pipeline import fuse
from tests.support.sweeps import few


def head(features: int) -> list[nn.Module]:
    return [nn.Flatten(), nn.Linear(features, 3)]


def image() -> nn.Module:
    """Coarser twice, finer than the input once, and a pooling to sizes that divide nothing."""
    down = [nn.Conv2d(2, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, 2), nn.Sigmoid()]
    up = [nn.ConvTranspose2d(4, 2, 5, 5), nn.GELU(), nn.AdaptiveAvgPool2d((3, 2)), nn.Conv2d(2, 2, 1)]
    return nn.Sequential(*down, *up, *head(12))


def signal() -> nn.Module:
    return nn.Sequential(nn.Conv1d(1, 3, 5, 3), nn.Tanh(), nn.Conv1d(3, 4, 2, 2), nn.AdaptiveAvgPool1d(1), *head(4))


def volume() -> nn.Module:
    return nn.Sequential(nn.Conv3d(1, 2, 3, 2), nn.Softplus(), nn.AdaptiveAvgPool3d(1), *head(2))


class Gated(nn.Module):
    """A gate has one cell for the whole input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate, self.head = nn.Conv2d(2, 4, 3, 2), nn.Conv2d(4, 4, 1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x).relu()
        return self.head((y * self.gate(y.mean((2, 3), keepdim=True)).sigmoid()).mean((2, 3)))


class Patches(nn.Module):
    """Tokens on a grid, and windows of them merged with the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.norm, self.mlp = nn.Conv2d(2, 4, 3, 3), nn.LayerNorm(4), nn.Linear(4, 4)
        self.window, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(self.mlp(self.patch(x).flatten(2).transpose(1, 2)))
        grid = tokens.reshape(-1, 2, 2, 2, 2, 4).transpose(2, 3).reshape(-1, 4, 4)
        return self.head(F.gelu(self.window(grid)).reshape(x.shape[0], -1, 4).mean(1))


class Words(nn.Module):
    """Token ids, of which every second is dropped, so that a layer's tokens are fewer than the input's."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.mix, self.head = nn.Embedding(9, 4), nn.Conv1d(4, 4, 3, 2, 1), nn.Linear(4, 3)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.mix(self.table(ids).transpose(1, 2)).tanh().mean(2))


class Pair(nn.Module):
    """Two images; what they have in common lies over both."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.both = nn.Conv2d(2, 4, 3, 2, 1), nn.Conv2d(1, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.head(self.both((self.a(x) + self.b(y)).relu()).sigmoid().mean((2, 3)))


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


NETWORKS: Mapping[str, Any] = {
    "image": (image, (random(2, 2, 17, 12),)),
    "signal": (signal, (random(2, 1, 40),)),
    "volume": (volume, (random(2, 1, 5, 6, 7),)),
    "gate": (Gated, (random(2, 2, 9, 8),)),
    "patches": (Patches, (random(2, 2, 12, 12),)),
    "words": (Words, (torch.tensor([[1, 2, 3, 4, 5], [8, 7, 6, 5, 4]]),)),
    "pair": (Pair, (random(2, 2, 9, 9), random(2, 1, 9, 9))),
}


@pytest.mark.parametrize("name", few(NETWORKS, 2))
def test_the_maps_add_up_to_what_has_a_place(name: str) -> None:
    build, inputs = NETWORKS[name]
    torch.manual_seed(1)
    model = build().eval()
    program = fuse(model, inputs, psi="signed", target=1, outputs=("logits", "saliency", "contributions"))
    inputs = tuple(x.double() if x.is_floating_point() else x for x in inputs)
    _logits, *maps, contributions = program.graph_module(*inputs)
    lost = [site.layout == "none" for site in program.sites for _ in site.terms]
    assert contributions.shape[1] == 1 + len(lost)
    assert {True, False} == set(lost)
    total = sum(one.flatten(1).sum(1) for one in maps) + contributions[:, 1:][:, lost].sum(1)
    torch.testing.assert_close(total, model.double()(*inputs)[:, 1], rtol=1e-12, atol=1e-12)
    assert len(maps) == len(inputs)


@pytest.mark.parametrize("on_demand", few([True, False], 1))
def test_the_artifacts_map_adds_up_at_every_size(tmp_path: Path, on_demand: bool) -> None:
    torch.manual_seed(1)
    layers = [nn.Conv2d(2, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), *head(4)]
    model = nn.Sequential(*layers).eval()
    nn.init.zeros_(model[-1].bias)
    options: Any = {"psi": "signed", "target": 1, "on_demand": on_demand, "dynamic_sizes": not on_demand}
    path = tmp_path / "signed.onnx"
    fgcompile.compile(model, random(2, 2, 24, 24), **options).save(path)
    session = fgcompile.load(path)
    for size in ((24, 24), *([] if on_demand else [(11, 37), (40, 8)])):
        x = random(3, 2, *size)
        result = session.explain(x.numpy())
        assert result.saliency is not None
        score = model.double()(x.double())[:, 1].detach().numpy()
        np.testing.assert_allclose(result.saliency.sum((1, 2, 3)), score, rtol=1e-5, atol=1e-6)
        model.float()
