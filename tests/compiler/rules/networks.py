"""Small networks of every kind that the rules rewrite, each beside its locally linear twin.

A twin is the same network with what counts as a constant detached by hand, in eager PyTorch: its autograd gradient is
the gradient that the rules have to find. A pair shares its parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def normalized(x: Tensor, axes: tuple[int, ...], eps: float = 1e-5) -> Tensor:
    """``(x − m) · constant``."""
    centred = x - x.mean(axes, keepdim=True)
    return centred / (x.var(axes, correction=0, keepdim=True) + eps).sqrt().detach()


def gelu(x: Tensor) -> Tensor:
    return x * (F.gelu(x) / x).detach()


def silu(x: Tensor) -> Tensor:
    return x * x.sigmoid().detach()


def product(a: Tensor, b: Tensor) -> Tensor:
    return (a * b.detach() + a.detach() * b) / 2


class Pair(nn.Module):
    """A network and its twin: ``linear`` chooses which one ``forward`` computes."""

    linear = False

    def twin(self) -> Pair:
        other = type(self)()
        other.load_state_dict(self.state_dict())
        other.linear = True
        return other.to(next(self.parameters()).dtype).eval()


class VisionTransformer(Pair):
    """Patches, a class token, one pre-norm block with two heads, and a head on the class token."""

    shape = (3, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.token, self.positions = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 5, 8))
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(8), nn.LayerNorm(8), nn.LayerNorm(8)
        self.qkv, self.project = nn.Linear(8, 24), nn.Linear(8, 8)
        self.up, self.down, self.head = nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(8, 4)

    def norm(self, norm: nn.LayerNorm, x: Tensor) -> Tensor:
        return normalized(x, (-1,)) * norm.weight + norm.bias if self.linear else norm(x)

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).reshape(x.shape[0], 5, 3, 2, 4).permute(2, 0, 3, 1, 4)
        weights = F.dropout((q @ k.transpose(-1, -2) / 2).softmax(-1), 0.1, self.training)
        if self.linear:
            weights = weights.detach()
        return self.project((weights @ v).transpose(1, 2).reshape(x.shape[0], 5, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], 1, 8), x], 1) + self.positions
        x = x + self.attend(self.norm(self.norm1, x))
        x = x + self.down((gelu if self.linear else F.gelu)(self.up(self.norm(self.norm2, x))))
        return self.head(self.norm(self.norm3, x)[:, 0])


class GatedBlock(Pair):
    """RMSNorm, as PyTorch has it and by hand, and a SwiGLU block, as in language models."""

    shape = (5, 8)

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.weight = nn.RMSNorm(8, eps=1e-6), nn.Parameter(torch.randn(8))
        self.gate, self.up, self.down = nn.Linear(8, 12), nn.Linear(8, 12), nn.Linear(12, 8)
        self.head = nn.Linear(8, 4)

    def root_mean_square(self, x: Tensor, weight: Tensor) -> Tensor:
        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        return weight * (x * (scale.detach() if self.linear else scale))

    def forward(self, x: Tensor) -> Tensor:
        y = self.root_mean_square(x, self.norm.weight) if self.linear else self.norm(x)
        gate = self.gate(y)
        y = product(silu(gate), self.up(y)) if self.linear else F.silu(gate) * self.up(y)
        return self.head(self.root_mean_square(x + self.down(y), self.weight).mean(1))


class SqueezeExcitation(Pair):
    """A convolution network with hardswish, a hand-written one too, and squeeze-and-excitation."""

    shape = (3, 9, 8)

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.bn = nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6)
        self.squeeze, self.excite = nn.Conv2d(6, 3, 1), nn.Conv2d(3, 6, 1)
        self.conv, self.head = nn.Conv2d(6, 6, 3), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.stem(x))
        x = x * F.hardsigmoid(x).detach() if self.linear else F.hardswish(x)
        weight = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        x = self.conv(x * (weight.detach() if self.linear else weight))
        gate = F.relu6(x + 3.0) / 6.0
        return self.head((x * (gate.detach() if self.linear else gate)).mean((2, 3)))


class GroupNorms(Pair):
    """GroupNorm and InstanceNorm between convolutions, with mish."""

    shape = (3, 9, 8)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(3, 6, 3, 2), nn.Conv2d(6, 6, 3), nn.Linear(6, 4)
        self.group, self.instance = nn.GroupNorm(2, 6), nn.InstanceNorm2d(6, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        if self.linear:
            x = normalized(x.unflatten(1, (2, 3)), (2, 3, 4)).flatten(1, 2)
            x = x * self.group.weight.reshape(-1, 1, 1) + self.group.bias.reshape(-1, 1, 1)
            x = self.second(x * F.softplus(x).tanh().detach())
            x = normalized(x, (2, 3)) * self.instance.weight.reshape(-1, 1, 1) + self.instance.bias.reshape(-1, 1, 1)
        else:
            x = self.instance(self.second(F.mish(self.group(x))))
        return self.head(x.abs().mean((2, 3)))


class Recurrent(Pair):
    """An LSTM whose gates are weights of its states; tanh keeps its true gradient."""

    shape = (5, 6)

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(6, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        if not self.linear:
            return self.head(self.lstm(x)[0][:, -1])
        h = c = x.new_zeros(x.shape[0], 4)
        for step in x.unbind(1):
            gates = F.linear(step, self.lstm.weight_ih_l0, self.lstm.bias_ih_l0)
            i, f, g, o = (gates + F.linear(h, self.lstm.weight_hh_l0, self.lstm.bias_hh_l0)).chunk(4, 1)
            c = f.sigmoid().detach() * c + i.sigmoid().detach() * g.tanh()
            h = o.sigmoid().detach() * c.tanh()
        return self.head(h)


class LinearAttention(Pair):
    """Attention without softmax: products of activations, over the sum of keys."""

    shape = (5, 8)

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.head = nn.Linear(8, 24), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        q, k = F.elu(q) + 1, F.elu(k) + 1
        if not self.linear:
            return self.head((q @ (k.transpose(1, 2) @ v) / (q @ k.sum(1).unsqueeze(2))).mean(1))
        context = (k.detach().transpose(1, 2) @ v + k.transpose(1, 2) @ v.detach()) / 2
        read = (q.detach() @ context + q @ context.detach()) / 2
        return self.head((read / (q @ k.sum(1).unsqueeze(2)).detach()).mean(1))


class HandWritten(Pair):
    """GELU by hand in both forms, powers, and a normalisation by the norm."""

    shape = (5, 8)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 4)

    def constant(self, x: Tensor) -> Tensor:
        return x.detach() if self.linear else x

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))
        x = self.second(0.5 * x * self.constant(1.0 + torch.tanh(inner)))
        x = x * 0.5 * self.constant(1.0 + torch.erf(x / math.sqrt(2.0)))
        x = x * self.constant(x**2) + x * self.constant(x)
        x = x / self.constant(x.norm(dim=-1, keepdim=True).clamp_min(1e-12))
        return self.head(x.mean(1)).softmax(-1)


PAIRS: tuple[Callable[[], Pair], ...] = (
    VisionTransformer,
    GatedBlock,
    SqueezeExcitation,
    GroupNorms,
    Recurrent,
    LinearAttention,
    HandWritten,
)


def build(make: Callable[[], Pair], dtype: torch.dtype = torch.float64) -> tuple[Pair, Tensor]:
    """A network with no trivial parameter, in evaluation mode, and a batch of three inputs."""
    torch.manual_seed(0)
    model = make()
    for parameter in model.parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter, 0.5)
    return model.to(dtype).eval(), torch.randn(3, *make.shape, dtype=dtype)  # type: ignore[attr-defined]
