"""The demo's networks are the trained ones, prepared as they were trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.networks.samples import load_digit_network, load_photo_network
from fgcompile.demo.networks import Network, load_efficientnet
from fgcompile.pictures.images import read_photo


@pytest.fixture(scope="module")
def efficientnet() -> Network:
    return load_photo_network()


def test_its_photos_come_along_and_are_recognised() -> None:
    network = load_efficientnet()
    assert [picture.path.is_file() for picture in network.pictures] == [True] * 3
    names = [network.labels[index] for index in predict(network, 3)]
    assert names[0] in ("tabby cat", "a cat having a striped coat", "Egyptian Mau")
    assert names[1:] == ["espresso", "missile"]


def predict(network: Network, count: int) -> list[int]:
    channels, height, width = network.input_shape
    photos = np.stack([read_photo(picture.path, (height, width, channels)) for picture in network.pictures[:count]])
    with torch.no_grad():
        return network.model(network.prepare(torch.from_numpy(photos))).argmax(1).tolist()


def test_loading_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    load_efficientnet()
    assert capsys.readouterr().out == ""


def test_efficientnet_prepares_photos_as_it_was_trained(efficientnet: Network) -> None:
    photo = torch.arange(4 * 3, dtype=torch.uint8).mul(20).view(1, 2, 2, 3)
    expected = (photo.permute(0, 3, 1, 2).float() - 127) / 128
    torch.testing.assert_close(efficientnet.prepare(photo), expected)


def test_efficientnet_recognises_photos(efficientnet: Network) -> None:
    assert len(efficientnet.pictures) == 20
    assert len(efficientnet.labels) == 1000
    assert predict(efficientnet, 4) == [picture.label for picture in efficientnet.pictures[:4]]


def test_digit_network_recognises_digits() -> None:
    network = load_digit_network()
    assert not network.model.training
    truth = [picture.label for picture in network.pictures]
    assert len(truth) == 20
    assert np.mean(np.equal(predict(network, 20), truth)) >= 0.95
