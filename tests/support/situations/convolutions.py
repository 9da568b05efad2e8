"""Convolutional networks of the kinds that public reports are about, in their smallest forms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize


class Writes(nn.Module):
    """In-place arithmetic, slices and masks written to, of the input's copy and of activations."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 6, 3, padding=1)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = x.clone()
        x[:, :, :2] = 0
        x[x < -1] = -1
        y = self.convolution(x)
        y[:, 1:3] *= 2
        y[:, :, ::2].add_(1)
        y[y > 1.5] = 1.5
        mask = torch.zeros_like(y, dtype=torch.bool)
        mask[..., 2:5] = True
        y = y.masked_fill(mask, 0.3).tanh().clone()
        y[:, 0] = x[:, 1] * x[:, 2]
        return self.head(y.mean((2, 3)))


class AnchorBoxes(nn.Module):
    """A YOLO head of version 5: boxes of two levels, decoded in place over grids and anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList([nn.Conv2d(3, 8, 3, 4, 1), nn.Conv2d(8, 8, 3, 2, 1)])
        self.heads = nn.ModuleList(nn.Conv2d(8, 2 * 8, 1) for _ in range(2))
        self.anchors: Tensor
        self.register_buffer("anchors", torch.rand(2, 2, 2) * 10 + 4)

    def forward(self, x: Tensor) -> Tensor:
        boxes = []
        for index, (level, head) in enumerate(zip(self.levels, self.heads, strict=True)):
            x = F.silu(level(x))
            y = head(x)
            count, _, height, width = y.shape
            y = y.view(count, 2, 8, height, width).permute(0, 1, 3, 4, 2).contiguous().sigmoid().clone()
            rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            grid = torch.stack((columns, rows), 2).view(1, 1, height, width, 2)
            y[..., 0:2] = (y[..., 0:2] * 2 - 0.5 + grid) * (4 << index)
            y[..., 2:4] = (y[..., 2:4] * 2) ** 2 * self.anchors[index].view(1, 2, 1, 1, 2)
            boxes.append(y.view(count, -1, 8))
        return torch.cat(boxes, 1)


class DistributedBoxes(nn.Module):
    """A YOLO head of version 8: distances to the sides as means of distributions, by a fixed convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 8, 3, 4, 1)
        self.sides, self.classes = nn.Conv2d(8, 16, 1), nn.Conv2d(8, 3, 1)
        self.mean = nn.Conv2d(4, 1, 1, bias=False).requires_grad_(requires_grad=False)
        self.mean.weight.data[:] = torch.arange(4.0).view(1, 4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.silu(self.features(x))
        height, width = y.shape[2:]
        rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        points = torch.stack((columns, rows)).flatten(1)
        both = torch.cat([self.sides(y), self.classes(y)], 1).flatten(2)
        sides, classes = both.split((16, 3), 1)
        distances = self.mean(sides.view(-1, 4, 4, sides.shape[2]).transpose(2, 1).softmax(1)).squeeze(1)
        before, behind = distances.chunk(2, 1)
        first, last = points - before, points + behind
        return torch.cat(((first + last) / 2, last - first, classes.sigmoid()), 1)


class Siamese(nn.Module):
    """Two inputs through the same layers, and how alike they are."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            *(nn.Conv2d(3, 6, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return F.cosine_similarity(self.network(a), self.network(b))


class PaddedUNet(nn.Module):
    """A U-Net for any size: what comes up is padded to what it joins."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.up, self.out = nn.ConvTranspose2d(8, 4, 2, 2), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = F.relu(self.fine(x))
        up = self.up(F.relu(self.coarse(F.max_pool2d(fine, 2))))
        rows, columns = fine.shape[2] - up.shape[2], fine.shape[3] - up.shape[3]
        margins = [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2]
        return self.out(torch.cat([fine, F.pad(up, margins)], 1))


class GatedUNet(nn.Module):
    """A U-Net with an attention gate on its skip connection, upsampled to the size of what it joins."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, 2, 1)
        self.from_coarse, self.from_fine, self.gate = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 1, 1)
        self.out = nn.Conv2d(12, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = F.leaky_relu(self.fine(x))
        coarse = F.instance_norm(F.leaky_relu(self.coarse(fine)))
        up = F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=True)
        gate = torch.sigmoid(self.gate(F.relu(self.from_coarse(up) + self.from_fine(fine))))
        return self.out(torch.cat([fine * gate, up], 1))


class DenseHeads(nn.Module):
    """RetinaNet's heads: the same layers over the levels of a pyramid, their anchors in one axis."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList([nn.Conv2d(3, 8, 3, 4, 1), nn.Conv2d(8, 8, 3, 2, 1)])
        self.classes = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.ReLU(), nn.Conv2d(8, 6, 1))
        self.boxes = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = F.relu(self.levels[0](x))
        coarse = F.relu(self.levels[1](fine))
        levels = (fine + F.interpolate(coarse, size=fine.shape[-2:]), coarse)
        return self._over(levels, self.classes, 3), self._over(levels, self.boxes, 4)

    def _over(self, levels: tuple[Tensor, ...], head: nn.Module, size: int) -> Tensor:
        found = []
        for level in levels:
            y = head(level)
            count, _, height, width = y.shape
            y = y.view(count, -1, size, height, width).permute(0, 3, 4, 1, 2)
            found.append(y.reshape(count, -1, size))
        return torch.cat(found, 1)


class Parametrised(nn.Module):
    """Weights that are computed: weight and spectral norm in the old and the new way, orthogonal, low rank."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.utils.weight_norm(nn.Conv2d(3, 6, 3)), nn.ReLU()),
            *(nn.utils.spectral_norm(nn.Conv2d(6, 6, 3)), nn.LeakyReLU()),
            *(parametrizations.weight_norm(nn.ConvTranspose2d(6, 4, 3)), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        )
        self.orthogonal, self.spectral = (
            parametrizations.orthogonal(nn.Linear(4, 4)),
            parametrizations.spectral_norm(nn.Linear(4, 4)),
        )
        self.head = nn.Linear(4, 3)
        parametrize.register_parametrization(self.head, "weight", _Shifted())

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.spectral(self.orthogonal(self.features(x)))))


class _Shifted(nn.Module):
    """``W + B A``, merged whenever it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Parameter(torch.randn(3, 1)), nn.Parameter(torch.randn(1, 4))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.up @ self.down


class MemoryBank(nn.Module):
    """The distance of each place's features to the nearest of a bank, the largest weighted by its neighbours."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU())
        self.bank: Tensor
        self.register_buffer("bank", torch.rand(30, 6))

    def forward(self, x: Tensor) -> Tensor:
        places = self.features(x).flatten(2).transpose(1, 2)
        near = torch.cdist(places, self.bank.unsqueeze(0).expand(x.shape[0], -1, -1)).topk(3, largest=False).values
        worst = near[..., 0].argmax(1)
        return near[..., 0].amax(1) * (1 - near.softmax(2)[torch.arange(x.shape[0]), worst, 0])


def largest_class(output: Tensor) -> Tensor:
    """The largest confidence of boxes ``(N, boxes, 4 + 1 + classes)``, that of the object times the class's."""
    return (output[..., 4] * output[..., 5:].amax(-1)).amax(1)
