"""Networks of the zoo that no library has: the plain forms of a domain, small, in PyTorch alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.networks.architectures import UNet


class SegmentationUNet(UNet):
    """The U-Net, with a logit for each pixel."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, 3, H, W), H and W multiples of 4, to logits (N, classes, H, W)."""
        return self.pixel_logits(x)


class ConvolutionBlock(nn.Sequential):
    """Convolution, BatchNorm, SiLU."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.SiLU(inplace=True),
        )


class SplitBlock(nn.Module):
    """A cross-stage partial block: half of the channels pass a residual bottleneck, and all are merged."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = ConvolutionBlock(width, width, 1)
        self.bottleneck = nn.Sequential(
            ConvolutionBlock(width // 2, width // 2), ConvolutionBlock(width // 2, width // 2)
        )
        self.merge = ConvolutionBlock(width + width // 2, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, width, H, W) to the same shape."""
        kept, passed = self.enter(x).chunk(2, 1)
        merged: Tensor = self.merge(torch.cat([kept, passed, passed + self.bottleneck(passed)], 1))
        return merged


class DetectionNeck(nn.Module):
    """A YOLO-like detector without its box decoding: backbone, pyramid pooling, top-down and bottom-up paths, heads."""

    def __init__(self, width: int = 8, classes: int = 10) -> None:
        super().__init__()
        self.stem = ConvolutionBlock(3, width, 3, 2)
        self.stages = nn.ModuleList(
            nn.Sequential(ConvolutionBlock(width << i, width << i + 1, 3, 2), SplitBlock(width << i + 1))
            for i in range(4)
        )
        deep, middle, fine = width << 4, width << 3, width << 2
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.pooled = ConvolutionBlock(4 * deep, deep, 1)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.down_middle = ConvolutionBlock(deep + middle, middle, 1)
        self.down_fine = ConvolutionBlock(middle + fine, fine, 1)
        self.up_middle = ConvolutionBlock(fine, middle, 3, 2)
        self.up_deep = ConvolutionBlock(middle, deep, 3, 2)
        self.heads = nn.ModuleList(nn.Conv2d(channels, classes + 5, 1) for channels in (fine, 2 * middle, 2 * deep))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Maps (N, 3, H, W), H and W multiples of 32, to a map (N, classes + 5, H/s, W/s) for s of 8, 16 and 32."""
        x = self.stages[0](self.stem(x))
        fine = self.stages[1](x)
        middle = self.stages[2](fine)
        deep = self.stages[3](middle)
        pools = [deep]
        for _ in range(3):
            pools.append(self.pool(pools[-1]))
        deep = self.pooled(torch.cat(pools, 1))
        middle = self.down_middle(torch.cat([self.up(deep), middle], 1))
        fine = self.down_fine(torch.cat([self.up(middle), fine], 1))
        middle = torch.cat([self.up_middle(fine), middle], 1)
        deep = torch.cat([self.up_deep(middle[:, : middle.shape[1] // 2]), deep], 1)
        return tuple(head(level) for head, level in zip(self.heads, (fine, middle, deep), strict=True))


class DenseDetector(nn.Module):
    """Features of several levels and the heads that read them, without the boxes' decoding."""

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features, self.head = features, head

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Maps (N, 3, H, W) to logits (N, boxes, classes) and places (N, boxes, 4)."""
        found: dict[str, Tensor] = self.head(list(self.features(x).values()))
        return found


class WaveformNetwork(nn.Sequential):
    """M5: one-dimensional convolutions over a raw waveform (N, 1, L), mean over time, logits.

    Source: Dai et al., "Very Deep Convolutional Neural Networks for Raw Waveforms", 2016.
    """

    def __init__(self, width: int = 16, classes: int = 10) -> None:
        layers: list[nn.Module] = []
        sizes = ((1, width, 80, 16), (width, width, 3, 1), (width, 2 * width, 3, 1), (2 * width, 4 * width, 3, 1))
        for inputs, outputs, size, stride in sizes:
            layers += [nn.Conv1d(inputs, outputs, size, stride), nn.BatchNorm1d(outputs), nn.ReLU(), nn.MaxPool1d(4)]
        super().__init__(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4 * width, classes))


class Perceptron(nn.Sequential):
    """A multilayer perceptron with BatchNorm over the columns (N, features) of a table."""

    def __init__(self, features: int = 12, width: int = 64, classes: int = 3) -> None:
        hidden = [nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU()]
        super().__init__(
            nn.Linear(features, width), nn.BatchNorm1d(width), nn.ReLU(), *hidden, nn.Linear(width, classes)
        )


class FeatureTokenizerTransformer(nn.Module):
    """FT-Transformer: every column of a table becomes a token, and a class token attends to them.

    Source: Gorishniy et al., "Revisiting Deep Learning Models for Tabular Data", NeurIPS 2021.
    """

    def __init__(
        self, numbers: int = 6, categories: int = 3, levels: int = 5, width: int = 32, classes: int = 3
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(numbers, width))
        self.bias = nn.Parameter(torch.randn(numbers, width))
        self.embedding = nn.Embedding(categories * levels, width)
        self.offsets: Tensor
        self.register_buffer("offsets", torch.arange(categories) * levels)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, activation="gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, classes))

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """Maps columns (N, numbers), floating point, and (N, categories), int64 levels, to logits (N, classes)."""
        columns = [numbers.unsqueeze(2) * self.weight + self.bias, self.embedding(categories + self.offsets)]
        tokens = torch.cat([self.token.expand(numbers.shape[0], -1, -1), *columns], 1)
        logits: Tensor = self.head(self.encoder(tokens)[:, 0])
        return logits


class EmbeddingLSTM(nn.Module):
    """Tokens, embedded, through a bidirectional LSTM; logits from the mean over time."""

    def __init__(self, vocabulary: int = 100, width: int = 16, classes: int = 4) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.recurrent = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Maps tokens (N, T), int64, to logits (N, classes)."""
        states, _ = self.recurrent(self.embedding(tokens))
        logits: Tensor = self.head(states.mean(1))
        return logits


class SeriesGRU(nn.Module):
    """A time series through two layers of a GRU; logits from the last state."""

    def __init__(self, features: int = 4, width: int = 16, classes: int = 3) -> None:
        super().__init__()
        self.recurrent = nn.GRU(features, width, num_layers=2, batch_first=True)
        self.head = nn.Linear(width, classes)

    def forward(self, series: Tensor) -> Tensor:
        """Maps a series (N, T, features) to logits (N, classes)."""
        states, _ = self.recurrent(series)
        logits: Tensor = self.head(F.relu(states[:, -1]))
        return logits


class EncoderClassifier(nn.Module):
    """PyTorch's own ``nn.TransformerEncoder`` over the patches of an image."""

    def __init__(self, size: int = 32, patch: int = 8, width: int = 32, classes: int = 10) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.positions = nn.Parameter(0.1 * torch.randn(1, (size // patch) ** 2, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, 3, size, size) to logits (N, classes)."""
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        logits: Tensor = self.head(self.encoder(tokens).mean(1))
        return logits
