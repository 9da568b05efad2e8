"""The networks that the compiler's parity and latency are measured on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.networks.torchvision_shim import define_missing_operators
from benchmarks.networks.weights import initialise, sample_inputs
from fgcompile.demo.networks import load_efficientnet


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
        parity: Whether ``benchmarks.exactness.parity`` measures it; the others are for latency and scaling.
    """

    name: str
    build: Callable[[], nn.Module]
    input_shape: tuple[int, int, int] = (3, 224, 224)
    piecewise_linear: bool = False
    trained: bool = False
    parity: bool = True


def build_network(name: str, seed: int = 0) -> nn.Module:
    """Builds a network of the table in evaluation mode, initialised from ``seed`` unless it is trained."""
    architecture = ARCHITECTURES[name]
    network = architecture.build()
    if not architecture.trained:
        initialise(network, partial(sample_inputs, architecture.input_shape), seed)
    return network.eval()


def torchvision_network(name: str, **options: Any) -> Callable[[], nn.Module]:
    """A network of torchvision without trained weights; torchvision is imported when the network is built."""

    def build() -> nn.Module:
        define_missing_operators()
        from torchvision.models import get_model  # type: ignore[import-untyped]

        model: nn.Module = get_model(name, weights=None, **options)
        return model

    return build


def efficientnet_lite(index: int) -> nn.Module:
    """EfficientNet-Lite0, 1 or 2 with its trained ImageNet weights; takes ``(x − 127) / 128`` of pixels in 0 to 255."""
    return load_efficientnet(index).model


def vit_small() -> nn.Module:
    """ViT-S/16, which torchvision has no name for (Touvron et al., arXiv:2012.12877, Table 1, DeiT-S)."""
    define_missing_operators()
    from torchvision.models import VisionTransformer

    model: nn.Module = VisionTransformer(
        image_size=224, patch_size=16, num_layers=12, num_heads=6, hidden_dim=384, mlp_dim=1536
    )
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
        return self.pixel_logits(x).mean((2, 3))

    def pixel_logits(self, x: Tensor) -> Tensor:
        """Maps (N, 3, H, W) to logits (N, classes, H, W)."""
        fine = self.encoder1(x)
        middle = self.encoder2(self.pool(fine))
        coarse = self.bottom(self.pool(middle))
        middle = self.decoder2(torch.cat([self.up2(coarse), middle], dim=1))
        fine = self.decoder1(torch.cat([self.up1(middle), fine], dim=1))
        logits: Tensor = self.head(fine)
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
    Architecture("resnet18", torchvision_network("resnet18"), piecewise_linear=True),
    Architecture("resnet50", torchvision_network("resnet50"), piecewise_linear=True),
    Architecture("vgg16_bn", torchvision_network("vgg16_bn", init_weights=False), piecewise_linear=True),
    Architecture("densenet121", torchvision_network("densenet121"), piecewise_linear=True),
    Architecture("mobilenet_v2", torchvision_network("mobilenet_v2")),
    Architecture("mobilenet_v3_large", torchvision_network("mobilenet_v3_large")),
    Architecture("efficientnet_b0", torchvision_network("efficientnet_b0")),
    Architecture("googlenet", torchvision_network("googlenet", **_NO_AUXILIARY), piecewise_linear=True),
    Architecture(
        "inception_v3", torchvision_network("inception_v3", **_NO_AUXILIARY), (3, 299, 299), piecewise_linear=True
    ),
    Architecture("squeezenet1_1", torchvision_network("squeezenet1_1"), piecewise_linear=True),
    Architecture("shufflenet_v2_x1_0", torchvision_network("shufflenet_v2_x1_0"), piecewise_linear=True),
    Architecture("mnasnet1_0", torchvision_network("mnasnet1_0"), piecewise_linear=True),
    Architecture("regnet_x_400mf", torchvision_network("regnet_x_400mf"), piecewise_linear=True),
    Architecture("regnet_y_400mf", torchvision_network("regnet_y_400mf")),
    Architecture("unet", UNet, (3, 128, 128), piecewise_linear=True),
    Architecture("efficientnet_lite0", partial(efficientnet_lite, 0), trained=True),
    *(
        Architecture(name, torchvision_network(name), piecewise_linear=True, parity=False)
        for name in ("resnet34", "resnet101", "resnet152")
    ),
    Architecture("convnext_tiny", torchvision_network("convnext_tiny"), parity=False),
    Architecture("vit_s_16", vit_small, parity=False),
    Architecture("vit_b_16", torchvision_network("vit_b_16"), parity=False),
    Architecture("vit_l_16", torchvision_network("vit_l_16"), parity=False),
)

ARCHITECTURES: dict[str, Architecture] = {architecture.name: architecture for architecture in _TABLE}
"""Every network by name."""
