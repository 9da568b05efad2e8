"""Networks whose places are not the grid itself, at any size: tokens, rows in the batch, borders without a place."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Tokens(nn.Module):
    """Patches behind a class token, interpolated positions, attention among all, and its answer in the map again."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.token = nn.Conv2d(3, 4, 4, 4), nn.Parameter(torch.randn(1, 1, 4))
        self.positions = nn.Parameter(torch.randn(1, 4, 3, 3))
        self.qkv, self.mlp, self.last = nn.Linear(4, 12), nn.Linear(4, 4), nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.patches(x)
        y = y + F.interpolate(self.positions, size=y.shape[2:], mode="bilinear", align_corners=False)
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), y.flatten(2).mT], 1)
        q, k, v = self.qkv(tokens).chunk(3, -1)
        tokens = tokens + F.scaled_dot_product_attention(q, k, v)
        tokens = tokens + F.silu(self.mlp(tokens))
        grid = self.last(tokens[:, 1:].mT.reshape(y.shape)).tanh()
        return self.head(torch.cat([tokens[:, 0], grid.mean((2, 3))], 1))


class Rows(nn.Module):
    """A convolution along each row, the rows in the batch, then along each column, the map turned."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.row, self.column = nn.Conv2d(3, 4, 3), nn.Conv1d(4, 4, 3, padding=1), nn.Conv1d(4, 4, 3)
        self.turned, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        n, c, h, w = y.shape
        y = F.silu(self.row(y.permute(0, 2, 1, 3).reshape(n * h, c, w))).reshape(n, h, c, w)
        y = F.silu(self.column(y.permute(0, 3, 2, 1).reshape(n * w, c, h))).reshape(n, w, c, h - 2)
        return self.head(self.turned(y.permute(0, 2, 1, 3)).tanh().mean((2, 3)))


class Borders(nn.Module):
    """Values at borders that were added, on one side or both."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.wide, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(F.pad(self.conv(x), (2, 0, 1, 1), value=0.5))
        y = F.silu(F.pad(self.wide(y), (1, 2, 0, 1), mode="reflect"))
        return self.head(F.pad(y, (0, 1, 2, 0), mode="replicate").exp().mean((2, 3)))
