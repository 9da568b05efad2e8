"""Attention, recurrences and tables of the kinds that public reports are about, in their smallest forms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TiedLanguageModel(nn.Module):
    """One layer called twice, and the embedding's weights again as the output's."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.output = nn.Linear(8, 20, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.output(self.layer(self.layer(self.embedding(tokens))))


class LowRank(nn.Module):
    """LoRA: a layer and a product of two thin matrices beside it."""

    def __init__(self, layer: nn.Linear, rank: int = 2) -> None:
        super().__init__()
        self.layer = layer
        self.down = nn.Parameter(torch.randn(rank, layer.in_features))
        self.up = nn.Parameter(torch.randn(layer.out_features, rank))
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + self.dropout(x) @ self.down.T @ self.up.T * 0.5


class AdaptedAttention(nn.Module):
    """An attention whose queries and values are adapted by LoRA."""

    def __init__(self) -> None:
        super().__init__()
        self.queries, self.values = LowRank(nn.Linear(8, 8)), LowRank(nn.Linear(8, 8))
        self.keys, self.head = nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        attended = F.scaled_dot_product_attention(self.queries(x), self.keys(x), self.values(x))
        return self.head(attended.mean(1))


class Queries(nn.Module):
    """DETR's head: learned queries that attend to a picture, sequence first; logits and boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.transformer = nn.Transformer(8, 2, 1, 1, 16)
        self.queries, self.rows, self.columns = (nn.Parameter(torch.rand(n, d)) for n, d in ((5, 8), (9, 4), (9, 4)))
        self.classes, self.boxes = nn.Linear(8, 4), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.patches(x)
        height, width = y.shape[2:]
        across = self.columns[:width].unsqueeze(0).repeat(height, 1, 1)
        down = self.rows[:height].unsqueeze(1).repeat(1, width, 1)
        places = torch.cat([across, down], -1).flatten(0, 1).unsqueeze(1)
        queries = self.queries.unsqueeze(1).repeat(1, x.shape[0], 1)
        found = self.transformer(places + 0.1 * y.flatten(2).permute(2, 0, 1), queries).transpose(0, 1)
        return {"logits": self.classes(found), "boxes": self.boxes(found).sigmoid()}


class TextVectors(nn.Module):
    """CLIP's picture against vectors of texts: a class token, sequence-first attention, cosines times a scale."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4, bias=False)
        self.token, self.places = nn.Parameter(torch.randn(8)), nn.Parameter(torch.randn(5, 8))
        self.attention = nn.MultiheadAttention(8, 2)
        self.norms = nn.ModuleList(nn.LayerNorm(8) for _ in range(3))
        self.wide, self.narrow = nn.Linear(8, 16), nn.Linear(16, 8)
        self.projection, self.scale = nn.Parameter(torch.randn(8, 6)), nn.Parameter(torch.tensor(2.6))
        self.texts: Tensor
        self.register_buffer("texts", F.normalize(torch.randn(3, 6), dim=-1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.patches(x).flatten(2).transpose(1, 2)
        token = self.token + torch.zeros(y.shape[0], 1, y.shape[2], dtype=y.dtype, device=y.device)
        y = self.norms[0](torch.cat([token, y], 1) + self.places).transpose(0, 1)
        normed = self.norms[1](y)
        y = y + self.attention(normed, normed, normed, need_weights=False)[0]
        wide = self.wide(y)
        y = y + self.narrow(wide * torch.sigmoid(1.702 * wide))
        vector = self.norms[2](y.transpose(0, 1)[:, 0]) @ self.projection
        return self.scale.exp() * vector / vector.norm(dim=1, keepdim=True) @ self.texts.t()


class AttentiveLSTM(nn.Module):
    """A bidirectional LSTM over tokens, attention that leaves out the padding, and the last states."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 4, padding_idx=0)
        self.recurrent = nn.LSTM(4, 3, batch_first=True, bidirectional=True)
        self.weight, self.head = nn.Linear(6, 1), nn.Linear(6, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        states, (last, _) = self.recurrent(self.embedding(tokens))
        scores = self.weight(torch.tanh(states)).squeeze(-1).masked_fill(tokens == 0, -1e9)
        pooled = (states * scores.softmax(-1).unsqueeze(-1)).sum(1)
        return self.head(pooled + torch.cat([last[-2], last[-1]], 1))


class FourierFeatures(nn.Module):
    """A radiance field along rays: sines of many frequencies, density, and how much of it is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.frequencies: Tensor
        self.register_buffer("frequencies", 3.1416 * 2.0 ** torch.arange(3))
        self.hidden, self.out = nn.Linear(21, 8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        angles = x.unsqueeze(-1) * self.frequencies
        y = self.out(F.relu(self.hidden(torch.cat([x, angles.sin().flatten(-2), angles.cos().flatten(-2)], -1))))
        opacity = 1 - torch.exp(-F.relu(y[..., 0] + 0.3))
        seen = torch.cumprod(torch.cat([torch.ones_like(opacity[:, :1]), 1 - opacity + 1e-10], 1), 1)[:, :-1]
        return ((seen * opacity).unsqueeze(-1) * torch.sigmoid(y[..., 1:])).sum(1)


class SparseSteps(nn.Module):
    """TabNet's choice of columns by a sparsemax, less of those that were chosen before."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.head = nn.Linear(6, 8), nn.Linear(4, 3)
        self.choices = nn.ModuleList(nn.Linear(4, 6) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        prior, state = torch.ones_like(x), F.glu(self.enter(x))
        for choice in self.choices:
            mask = _sparsemax(choice(state) * prior)
            prior, state = prior * (1.3 - mask), state + F.glu(self.enter(mask * x))
        return self.head(F.relu(state))


def _sparsemax(z: Tensor) -> Tensor:
    ordered = z.sort(-1, descending=True).values
    counts = torch.arange(1, z.shape[-1] + 1, dtype=z.dtype)
    sums = ordered.cumsum(-1) - 1
    chosen = (counts * ordered > sums).sum(-1, keepdim=True)
    return (z - sums.gather(-1, chosen - 1) / chosen).clamp(min=0)


def rearranged() -> nn.Module:
    """A ViT as einops users write it: layers that rearrange and reduce, functions with names of axes."""
    from einops import einsum, rearrange, repeat
    from einops.layers.torch import Rearrange, Reduce

    class Einops(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            cut = Rearrange("b c (h p1) (w p2) -> b (h w) (p1 p2 c)", p1=4, p2=4)
            self.patches = nn.Sequential(cut, nn.LayerNorm(48), nn.Linear(48, 8))
            self.token, self.mixed = nn.Parameter(torch.randn(1, 1, 8)), nn.Linear(8, 24)
            self.mean, self.head = Reduce("b n d -> b d", "mean"), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.patches(x)
            tokens = torch.cat([repeat(self.token, "1 1 d -> b 1 d", b=x.shape[0]), tokens], 1)
            heads = (rearrange(part, "b n (h d) -> b h n d", h=2) for part in self.mixed(tokens).chunk(3, -1))
            q, k, v = heads
            weights = einsum(q, k, "b h i d, b h j d -> b h i j").softmax(-1)
            return self.head(self.mean(tokens + rearrange(weights @ v, "b h n d -> b n (h d)")))

    return Einops()
