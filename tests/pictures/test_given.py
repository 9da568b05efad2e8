"""Pictures of Pillow's and files are explained as the command line explains the file; and what is no photo is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import fgcompile
from fgcompile.errors import InputError
from fgcompile.pictures.images import read_photo


@pytest.fixture(scope="module")
def session() -> fgcompile.Session:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2)).eval()
    preprocess = fgcompile.Preprocess((0.5,) * 3, (0.25,) * 3)
    labels = ["cat", "dog"]
    return fgcompile.compile(model, torch.zeros(2, 3, 8, 8), preprocess=preprocess, labels=labels).session()


def picture(mode: str = "RGB", size: tuple[int, int] = (11, 9)) -> Image.Image:
    drawn = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), np.uint8)
    return Image.fromarray(drawn, "RGBA").convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "1", "CMYK"])
def test_a_picture_is_read_as_its_file_is(mode: str, tmp_path: Path) -> None:
    image, path = picture(mode), tmp_path / f"a.{'tiff' if mode == 'CMYK' else 'png'}"
    image.save(path)
    np.testing.assert_array_equal(read_photo(image, (8, 8, 3)), read_photo(path, (8, 8, 3)))


def test_a_picture_is_turned_upright_and_left_as_it_is(tmp_path: Path) -> None:
    image = picture()
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif, quality=100)
    with Image.open(tmp_path / "turned.jpg") as opened:
        found = read_photo(opened, (8, 8, 3))
        assert opened.size == (11, 9)
    np.testing.assert_array_equal(found, read_photo(tmp_path / "turned.jpg", (8, 8, 3)))


def test_sessions_take_pictures_and_files(session: fgcompile.Session, tmp_path: Path) -> None:
    image, path = picture(), tmp_path / "a.png"
    image.save(path)
    photo = fgcompile.read_photos(session, path)
    expected = session.explain(photo, "dog")
    name = session.metadata["inputs"][0]["name"]
    for given in (image, path, str(path), [image], (path,), {name: image}, {name: [path]}):
        found = session.explain(given, "dog")
        np.testing.assert_array_equal(found.saliency, expected.saliency)
    assert len(session.explain([image, path, image])) == 3
    np.testing.assert_array_equal(session.predict(image), expected.logits)
    np.testing.assert_array_equal(fgcompile.read_photos(session, [image, path]), np.concatenate([photo, photo]))


def test_what_is_no_photo_is_said(session: fgcompile.Session, tmp_path: Path) -> None:
    deep = Image.fromarray(np.full((9, 11), 900, np.uint16))
    with pytest.raises(InputError, match=r"a picture of mode I;16 does not say which of its values are black"):
        session.explain(deep)
    assert fgcompile.read_photos(session, deep, window=(0, 1000)).max() == round(255 * 0.9)
    with pytest.raises(InputError, match=r"absent\.png: no such file"):
        session.explain(tmp_path / "absent.png")
    path = tmp_path / "cut.png"
    picture(size=(300, 300)).save(path)
    path.write_bytes(path.read_bytes()[:500])
    with Image.open(path) as cut, pytest.raises(InputError, match="a picture cannot be loaded"):
        session.explain(cut)
    with pytest.raises(InputError, match=r"\[1\] is 3, and others are pictures: give the path of a file"):
        session.explain([picture(), 3])
    with pytest.raises(InputError, match="not a NumPy array"):
        session.explain([])


def test_what_is_no_file_and_arrays_of_another_size(session: fgcompile.Session) -> None:
    with pytest.raises(InputError, match=r"https://\S+: give a file, not an address"):
        session.explain("https://example.org/a.jpg")
    with pytest.raises(InputError, match="this artifact takes photos, no texts"):
        session.explain("The film was dull.")
    with pytest.raises(InputError, match="this artifact takes photos, no texts: use explain"):
        session.explain_text("The film was dull.")
    for shape in ((1, 9, 11, 3), (9, 11, 3)):
        for call in (session.explain, session.predict):
            with pytest.raises(InputError, match="a path or a picture of Pillow's is fitted to 8 x 8"):
                call(np.zeros(shape, np.uint8))
    with pytest.raises(InputError) as raised:
        session.explain(np.zeros((8, 8, 3), np.uint8))
    assert "fitted" not in str(raised.value)


def test_artifacts_of_prepared_arrays_say_so() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).eval()
    session = fgcompile.compile(model, torch.zeros(2, 3, 8, 8)).session()
    with pytest.raises(InputError, match="takes prepared arrays, not photos"):
        session.explain(picture())
