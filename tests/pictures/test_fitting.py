"""Fitted pictures are those of the libraries' own transforms, to the pixel; the same code is the oracle that trains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.networks.torchvision_shim import define_missing_operators
from fgcompile.artifact.fitting import INTERPOLATIONS, Fit, fit_of, seen_part
from fgcompile.errors import InputError
from fgcompile.pictures.fitting import fit_image

SIZES = [(97, 64), (64, 97), (301, 200), (200, 301), (33, 33), (20, 31), (48, 48), (49, 48), (150, 41)]
"""Widths and heights, odd and even, above and below what they are fitted to."""


@pytest.fixture(scope="module")
def transforms() -> Any:
    define_missing_operators()
    return pytest.importorskip("torchvision.transforms", reason="needs torchvision")


def picture(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    return Image.fromarray(np.random.default_rng(size[0]).integers(0, 256, shape, dtype=np.uint8))


def fitted(image: Image.Image, shape: tuple[int, int], fit: Fit) -> np.ndarray:
    return np.asarray(fit_image(image, shape, fit, 2**26))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_a_crop_is_torchvision_s(transforms: Any, size: tuple[int, int], interpolation: str) -> None:
    mode = transforms.InterpolationMode(interpolation)
    for resize, crop in ((48, (41, 41)), (37, (32, 40)), (40, (40, 40)), (24, (32, 32))):  # the last is padded
        expected = transforms.Compose([transforms.Resize(resize, mode), transforms.CenterCrop(crop)])(picture(size))
        found = fitted(picture(size), crop, Fit("crop", (resize, resize), interpolation))
        np.testing.assert_array_equal(found, np.asarray(expected))


@pytest.mark.parametrize("size", SIZES)
def test_a_squashed_picture_is_torchvision_s(transforms: Any, size: tuple[int, int]) -> None:
    for resize, crop in (((48, 40), (48, 40)), ((48, 40), (41, 37))):
        expected = transforms.CenterCrop(crop)(transforms.Resize(resize)(picture(size)))
        np.testing.assert_array_equal(
            fitted(picture(size), crop, Fit("squash", resize, "bilinear")), np.asarray(expected)
        )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["center", "squash", "border"])
def test_pictures_are_timm_s(transforms: Any, size: tuple[int, int], mode: str) -> None:
    timm = pytest.importorskip("timm.data", reason="needs timm")
    fits = {"center": "crop", "squash": "squash", "border": "letterbox"}
    for shape, kept in (((40, 40), 0.9), ((32, 48), 0.95), ((40, 40), 1.0)):
        transform = timm.create_transform(
            (3, *shape), interpolation="bicubic", crop_pct=kept, crop_mode=mode, mean=(0.2, 0.4, 0.6), normalize=False
        )
        expected = transform(picture(size)).numpy().transpose(1, 2, 0)
        resize = (int(shape[0] / kept), int(shape[1] / kept))
        fill = (51, 102, 153) if mode == "border" else (0, 0, 0)
        np.testing.assert_array_equal(fitted(picture(size), shape, Fit(fits[mode], resize, fill=fill)), expected)


@pytest.mark.parametrize("size", SIZES)
def test_pictures_are_those_of_processors_of_transformers(transforms: Any, size: tuple[int, int]) -> None:
    clip = pytest.importorskip("transformers.models.clip.image_processing_pil_clip", reason="needs transformers")
    plain: dict[str, Any] = {"do_rescale": False, "do_normalize": False, "resample": 3}
    for given, crop, fit in (
        ({"shortest_edge": 48}, {"height": 41, "width": 41}, Fit("crop", (48, 48), rounding="down")),
        ({"height": 48, "width": 40}, {"height": 41, "width": 37}, Fit("squash", (48, 40), rounding="down")),
    ):
        process = clip.CLIPImageProcessorPil(size=given, crop_size=crop, **plain)
        expected = np.asarray(process(picture(size))["pixel_values"][0]).transpose(1, 2, 0)
        np.testing.assert_array_equal(fitted(picture(size), (crop["height"], crop["width"]), fit), expected)


@pytest.mark.parametrize(("interpolation", "most"), [("bilinear", 1), ("bicubic", 32)])
def test_what_torchvision_does_to_tensors_differs_by_little(transforms: Any, interpolation: str, most: int) -> None:
    """Processors of Transformers do so by default: it rounds, and clips what bicubic overshoots, in other places."""
    mode = transforms.InterpolationMode(interpolation)
    for size in SIZES:
        tensor = torch.from_numpy(np.asarray(picture(size)).copy()).permute(2, 0, 1)
        whole = transforms.CenterCrop(41)(transforms.Resize(48, mode, antialias=True)(tensor))
        expected = whole.permute(1, 2, 0).numpy()
        apart = np.abs(fitted(picture(size), (41, 41), Fit("crop", (48, 48), interpolation)).astype(int) - expected)
        assert apart.max() <= most
        assert apart.mean() < 0.5


def test_a_letterbox_shows_all_of_the_picture_in_the_middle() -> None:
    image = Image.new("RGB", (80, 20), "red")
    found = fitted(image, (40, 40), Fit("letterbox", fill=(1, 2, 3)))
    assert (found[15:25] == (255, 0, 0)).all()
    assert (found[:15] == (1, 2, 3)).all()
    assert (found[25:] == (1, 2, 3)).all()
    grey = fitted(Image.new("L", (80, 20), 200), (40, 40), Fit("letterbox", fill=(90, 90, 90)))
    assert grey[0, 0] == 90
    assert grey[20, 20] == 200


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_every_interpolation_is_pillow_s(interpolation: str) -> None:
    filter = Image.Resampling[interpolation.upper()]
    found = fitted(picture((97, 64)), (30, 20), Fit("squash", interpolation=interpolation))
    np.testing.assert_array_equal(found, np.asarray(picture((97, 64)).resize((20, 30), filter)))


def test_a_thread_of_a_picture_is_refused_before_it_is_resized() -> None:
    with pytest.raises(InputError, match=r"20000 by 1 pixels would be resized to 4480000 by 224.*fit='letterbox'"):
        fitted(Image.new("L", (20000, 1)), (224, 224), Fit("crop", (224, 224)))


@pytest.mark.parametrize(
    "fit",
    [
        *[Fit(), Fit("crop", (48, 48), "bilinear"), Fit("crop", (40, 60), rounding="down"), Fit("crop", (24, 24))],
        *[
            Fit("squash"),
            Fit("squash", (50, 60)),
            Fit("letterbox"),
            Fit("letterbox", (50, 60)),
            Fit("letterbox", (20, 20)),
        ],
    ],
)
@pytest.mark.parametrize("size", [(150, 90), (90, 150), (64, 64)])
def test_the_part_that_is_seen_is_where_its_pixels_come_from(fit: Fit, size: tuple[int, int]) -> None:
    across, down = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    left, top, right, bottom = seen_part(size, (32, 40), fit)
    for places, ends, axis in ((across, (left, right), 1), (down, (top, bottom), 0)):
        found = fitted(Image.fromarray(places.astype(np.uint8)), (32, 40), fit).astype(float)
        count = found.shape[axis]
        expected = ends[0] + (np.arange(count) + 0.5) * (ends[1] - ends[0]) / count
        inside = (expected > 3) & (expected < size[1 - axis] - 3)  # not beside the picture, nor blurred at its edge
        middle = found[found.shape[0] // 2] if axis == 1 else found[:, found.shape[1] // 2]
        assert inside.sum() > 10
        assert np.abs(middle - expected)[inside].max() < 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "tiles"}, "fit has the mode 'tiles': give one of crop, squash, letterbox"),
        ({"interpolation": "cubic"}, "give one of nearest, box"),
        ({"resize": 256}, "fit has resize 256: give 2 whole numbers from 1 to 16384"),
        ({"resize": (0, 3)}, "fit has resize"),
        ({"fill": (0, 0, 256)}, "fit has fill"),
        ({"rounding": "up"}, "give one of even, down"),
    ],
)
def test_other_values_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Fit(**given)


def test_it_is_the_same_from_metadata() -> None:
    for fit in (Fit(), Fit("squash", (3, 4), "nearest"), Fit("letterbox", fill=(1, 2, 3), rounding="down")):
        assert fit_of({"fit": fit.as_dict()}) == fit
    assert fit_of(None) == fit_of({"mean": [0]}) == Fit()
    assert Fit("crop", (256, 256)).instead("squash") == Fit("squash")
    assert Fit("crop", (256, 256)).instead("crop") == Fit("crop", (256, 256)).instead(None) == Fit("crop", (256, 256))
