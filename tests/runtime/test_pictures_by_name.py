"""Photos beside an artifact's further inputs, and what explanations know of the files that they were made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import fgcompile
from fgcompile import Session
from fgcompile.errors import FgcompileError, InputError
from fgcompile.scores import Region

SIDE = 8


@pytest.fixture(scope="module")
def session() -> Session:
    """Of a segmenter that explains what a mask marks."""
    torch.manual_seed(0)
    model = nn.Conv2d(3, 2, 3, padding=1).eval()
    preprocess = fgcompile.Preprocess(0.5, 0.25)
    target = Region(1, mask=True)
    x, mask = torch.zeros(1, 3, SIDE, SIDE), torch.ones(1, SIDE, SIDE)
    return fgcompile.compile(model, x, target=target, score_inputs={"mask": mask}, preprocess=preprocess).session()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (13, 11, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "cat.png")
    return tmp_path / "cat.png"


def test_a_photo_is_fitted_beside_arrays(session: Session, photo: Path) -> None:
    mask = np.zeros((1, SIDE, SIDE), np.float32)
    mask[:, 2:4, 2:4] = 1
    x = fgcompile.read_photos(session, photo)
    expected = session.explain({"x": x, "mask": mask}).saliency
    with Image.open(photo) as opened:
        for given in (photo, str(photo), opened, [photo]):
            np.testing.assert_array_equal(session.explain({"x": given, "mask": mask}).saliency, expected)
            np.testing.assert_array_equal(session.explain((given, mask)).saliency, expected)
    with pytest.raises(InputError, match=r"takes mask beside the photo.*session.explain\(\{'x': 'photo.jpg', 'mask'"):
        session.explain(photo)
    with pytest.raises(InputError, match="mask is a str"):
        session.explain({"x": photo, "mask": str(photo)})
    with pytest.raises(InputError, match=r"^missing input mask, unknown input maks: the artifact takes x, mask$"):
        session.explain({"x": photo, "maks": mask})


def test_explanations_know_the_files(session: Session, photo: Path, tmp_path: Path) -> None:
    mask = np.ones((3, SIDE, SIDE), np.float32)
    made = Image.new("RGB", (9, 9), "red")
    other = tmp_path / "other" / "cat.png"
    other.parent.mkdir()
    made.save(other)
    found = session.explain({"x": [photo, made, other], "mask": mask})
    assert found[2].about is not None
    assert found[2].about.files == (other,)
    assert [record["sample"] for record in found.save(tmp_path / "a")] == ["cat", "1", "cat-2"]
    assert (tmp_path / "a" / "cat-2-explained.png").is_file()
    assert "cat.png: " in str(found._repr_html_())
    assert [record["sample"] for record in session.explain({"x": [made], "mask": mask[:1]}).save(tmp_path / "b")] == [
        "0"
    ]


ODD: list[Any] = [5, "no such", b"x", 1.5, {"a": 1}, object(), int, np.zeros((2, 2)), [5], (1, 2, 3)]


@pytest.mark.parametrize("odd", ODD, ids=[type(odd).__name__ for odd in ODD])
def test_odd_values_are_refused_by_name(odd: Any, session: Session, photo: Path) -> None:
    mask = np.ones((1, SIDE, SIDE), np.float32)
    one = session.explain({"x": photo, "mask": mask})
    for call in (
        lambda: one.beside(odd),
        lambda: one.overlay(colormap=odd),
        lambda: one.overlay(input=odd),
        lambda: one.overlay(odd),
        lambda: one.save("unused", odd),
        lambda: fgcompile.read_photos(odd, photo),
        lambda: fgcompile.read_photos(session, odd),
        lambda: fgcompile.read_photos(session, photo, fit=odd),
        lambda: fgcompile.read_photos(session, photo, window=odd),
        lambda: session.explain({"x": photo, "mask": mask}, None, odd),
        lambda: fgcompile.load(odd),
        lambda: fgcompile.load("unused.onnx", odd),
        lambda: fgcompile.verify(session, odd, mask),
        lambda: fgcompile.compile(nn.Flatten().eval(), torch.zeros(1, 2), progress=0 if callable(odd) else odd),
    ):
        with pytest.raises(FgcompileError) as raised:
            call()
        assert "\n" not in str(raised.value)
    with pytest.raises(InputError, match="page is "):
        fgcompile.read_photos(session, photo, page=-odd if isinstance(odd, int) else odd)
