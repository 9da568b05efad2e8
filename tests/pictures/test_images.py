"""Photos: upright, in the artifact's colours and size, or refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgcompile.artifact.fitting import Fit
from fgcompile.artifact.metadata import loads
from fgcompile.errors import InputError
from fgcompile.pictures.images import photo_shape, read_photo
from tests.support.tiny_artifacts import dumps, tiny_metadata

SHAPE = (32, 32, 3)


def save(pixels: np.ndarray, path: Path, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_photo_of_the_right_size_is_taken_as_it_is(tmp_path: Path) -> None:
    pixels = noise(*SHAPE)
    assert np.array_equal(read_photo(save(pixels, tmp_path / "photo.png"), SHAPE), pixels)


def test_of_a_picture_of_the_right_size_the_fit_is_done_too_but_an_array_is_an_input_as_it_is(tmp_path: Path) -> None:
    pixels = noise(*SHAPE)
    fit = Fit("crop", (40, 40), "bilinear")
    resized = Image.fromarray(pixels).resize((40, 40), Image.Resampling.BILINEAR).crop((4, 4, 36, 36))
    assert np.array_equal(read_photo(save(pixels, tmp_path / "photo.png"), SHAPE, fit=fit), np.asarray(resized))
    np.save(tmp_path / "array.npy", pixels)
    assert np.array_equal(read_photo(tmp_path / "array.npy", SHAPE, fit=fit), pixels)


def test_resize_then_centre_crop(tmp_path: Path) -> None:
    path = save(noise(140, 200, 3), tmp_path / "photo.png")
    with Image.open(path) as image:  # short side to 32 · 256/224, then the centre
        resized = np.asarray(image.resize((round(200 * 36.571 / 140), 37), Image.Resampling.BICUBIC), dtype=float)
    top, left = (37 - 32) // 2, (resized.shape[1] - 32) // 2
    expected = resized[top : top + 32, left : left + 32]
    smooth = np.ones((8, 8)) / 64  # the two differ by a fraction of a pixel in where they sample
    photo = read_photo(path, SHAPE).astype(float)
    for channel in range(3):
        blocks = (photo - expected)[..., channel].reshape(4, 8, 4, 8).transpose(0, 2, 1, 3)
        assert np.abs((blocks * smooth).sum((2, 3))).max() < 12


def test_crop_keeps_the_centre(tmp_path: Path) -> None:
    pixels = np.zeros((256, 256, 3), np.uint8)
    pixels[16:-16, 16:-16] = 200  # exactly the part that remains
    photo = read_photo(save(pixels, tmp_path / "photo.png"), (224, 224, 3))
    assert photo[4:-4, 4:-4].min() == 200
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, 100:200] = 255
    assert read_photo(save(wide, tmp_path / "wide.png"), SHAPE).mean() > 250


def test_sizes_other_than_square(tmp_path: Path) -> None:
    assert read_photo(save(noise(90, 70, 3), tmp_path / "photo.png"), (20, 44, 3)).shape == (20, 44, 3)


def test_exif_orientation_is_undone(tmp_path: Path) -> None:
    upright = np.zeros((32, 32, 3), np.uint8)
    upright[:16] = 255  # light above
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 270° to see it upright
    path = save(np.rot90(upright), tmp_path / "photo.png", exif=exif)
    photo = read_photo(path, SHAPE)
    assert photo[:12].min() == 255
    assert photo[20:].max() == 0


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_any_mode_becomes_rgb_and_grey(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "photo.tiff"
    Image.fromarray(noise(*SHAPE)).convert(mode).save(path)
    assert read_photo(path, SHAPE).shape == SHAPE
    assert read_photo(path, (32, 32, 1)).shape == (32, 32, 1)


def test_grey_photo_has_equal_channels(tmp_path: Path) -> None:
    photo = read_photo(save(noise(64, 64), tmp_path / "grey.png"), SHAPE)
    assert np.array_equal(photo[..., 0], photo[..., 2])


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut short"])
def test_unreadable_picture_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"photo\.jpg cannot be read as a picture"):
        read_photo(path, SHAPE)


def test_truncated_picture_is_named(tmp_path: Path) -> None:
    path = save(noise(300, 300, 3), tmp_path / "photo.jpg")
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(InputError, match=r"photo\.jpg cannot be read as a picture"):
        read_photo(path, SHAPE)


def test_missing_picture_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_photo(tmp_path / "photo.jpg", SHAPE)
    with pytest.raises(InputError, match="cannot be read as a picture"):
        read_photo(tmp_path, SHAPE)


def metadata_of(dtype: str, shape: list[int | str], preprocess: object) -> str:
    inputs = [{"name": "x", "dtype": dtype, "shape": shape}, {"name": "target", "dtype": "int64", "shape": ["batch"]}]
    return dumps(tiny_metadata(inputs=inputs, preprocess=preprocess))


def test_shape_of_the_photos_that_an_artifact_takes() -> None:
    text = metadata_of("uint8", ["batch", 24, 32, 1], {"mean": [0.5], "std": [0.2]})
    assert photo_shape(loads(text, "artifact")) == (24, 32, 1)


def test_artifact_without_preprocess_takes_no_photos() -> None:
    text = metadata_of("float32", ["batch", 3, 32, 32], None)
    with pytest.raises(InputError, match="compile it with preprocess=Preprocess"):
        photo_shape(loads(text, "artifact"))


def test_an_artifact_that_takes_more_than_a_photo_says_what() -> None:
    mask = {"name": "mask", "dtype": "float32", "shape": ["batch", 24, 32]}
    inputs = [{"name": "x", "dtype": "uint8", "shape": ["batch", 24, 32, 1]}, mask]
    scale = {"mean": [0.5], "std": [0.2]}
    text = dumps(tiny_metadata(inputs=inputs, preprocess=scale, target="score"))
    with pytest.raises(InputError, match="takes mask beside the photo, which no picture says"):
        photo_shape(loads(text, "artifact"))
