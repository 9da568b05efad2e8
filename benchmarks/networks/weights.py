"""Random weights and inputs under which a measurement means something.

Random weights as PyTorch initialises them let the signal die on its way through a deep network: the logits no longer
depend on the input and ties decide every pooling. So the weights here are He's, the BatchNorm statistics those of data,
and every bias is large enough to matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

CALIBRATION_BATCHES = 3
CALIBRATION_BATCH_SIZE = 32  # with 8, 40 blocks whose last layers are 2² take 1e-16 to 1e-2 (EfficientNetV2-S at 64²)


class Draw(Protocol):
    """Draws ``count`` random inputs of a network: a tensor (count, …), or a tuple of them."""

    def __call__(self, count: int, seed: int) -> Tensor | tuple[Tensor, ...]:
        """Deterministic in ``seed``."""


def sample_inputs(shape: tuple[int, ...], count: int, seed: int = 0) -> Tensor:
    """Random smooth signals, images or videos of unit variance, float32 (count, *shape), with shape (C, *spatial).

    Each is a sum of noise at every octave of resolution, from one colour for the whole image to the pixel. As in
    photographs amplitudes fall with frequency, and how fast differs from image to image.
    """
    generator = torch.Generator().manual_seed(seed)
    channels, *size = shape
    falloff = 0.6 + 0.25 * torch.rand(count, *(1,) * len(shape), generator=generator)
    mode = ("linear", "bilinear", "trilinear")[len(size) - 1]
    image = torch.zeros(count, *shape)
    for octave in range(int(math.log2(min(size))) + 1):
        noise = torch.randn(count, channels, *(2**octave,) * len(size), generator=generator)
        image += falloff**octave * F.interpolate(noise, size=size, mode=mode, align_corners=True)
    return image / image.square().mean(tuple(range(1, image.ndim)), keepdim=True).sqrt()


def initialise(model: nn.Module, draw: Draw, seed: int = 0) -> None:
    """Gives a network random weights under which its output depends on its input, and leaves it in evaluation mode.

    Convolutions and linear layers: He initialisation, biases N(0, 0.1²). BatchNorm: γ ~ U(0.5, 1.5), β ~ N(0, 0.2²),
    and running statistics averaged over batches of ``draw``. Any other parameter that holds one number throughout:
    U(0.5, 1.5), or N(0, 0.1²) in place of zeros. Deterministic in ``seed``, but for how the library itself initialises
    the rest.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, _ConvNd | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    module.bias.normal_(0, 0.1, generator=generator)
            elif isinstance(module, _BatchNorm) and module.affine:
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(0, 0.2, generator=generator)
        for parameter in model.parameters():
            # Such as scales of layers that start at 1e-6, which would let the signal die, and tokens that start at 0.
            if parameter.is_floating_point() and (parameter == parameter.flatten()[0]).all():
                if parameter.any():
                    parameter.uniform_(0.5, 1.5, generator=generator)
                else:
                    parameter.normal_(0, 0.1, generator=generator)
        model.eval()
        if any(isinstance(module, _BatchNorm) for module in model.modules()):
            with _calibrating(model):
                for batch in range(CALIBRATION_BATCHES):
                    drawn = draw(CALIBRATION_BATCH_SIZE, seed=1000 * (seed + 1) + batch)
                    model(*((drawn,) if isinstance(drawn, Tensor) else drawn))


@contextmanager
def _calibrating(model: nn.Module) -> Iterator[None]:
    """While open, every BatchNorm normalises by its batch and averages the statistics; all else stays in evaluation."""
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain average over batches
        layer.train()
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
            layer.eval()
