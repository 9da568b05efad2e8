"""Photos for a session, from files: what the command line reads, in an array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import fgcompile
from fgcompile.errors import InputError


@pytest.fixture(scope="module")
def session() -> fgcompile.Session:
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2)).eval()
    preprocess = fgcompile.Preprocess((0.5,) * 3, (0.25,) * 3, fit=fgcompile.Fit("squash", None, "nearest"))
    return fgcompile.compile(model, torch.zeros(2, 3, 8, 8), preprocess=preprocess).session()


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """Red, and at the right blue: 4 of the 8 columns that a squashed one has."""
    pixels = np.zeros((8, 32, 3), np.uint8)
    pixels[:, :16, 0] = pixels[:, 16:, 2] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    return tmp_path / "wide.png"


def test_files_are_fitted_as_the_artifact_says_and_explained(session: fgcompile.Session, wide: Path) -> None:
    photos = fgcompile.read_photos(session, [wide, str(wide)])
    assert photos.shape == (2, 8, 8, 3)
    assert photos.dtype == np.uint8
    assert (photos[:, :, :4] == (255, 0, 0)).all()
    assert (photos[:, :, 4:] == (0, 0, 255)).all()
    assert len(session.explain(photos)) == 2
    whole = session.explain(fgcompile.read_photos(session, wide))[0].overlay(wide)
    assert whole.width / whole.height > 2  # the whole of it


def test_another_fit_goes_before(session: fgcompile.Session, wide: Path) -> None:
    letterboxed = fgcompile.read_photos(session, wide, fit="letterbox")[0]
    assert (letterboxed[[0, 1, 2, 5, 6, 7]] == 0).all()
    assert letterboxed[3:5].any(axis=2).all()


def test_what_cannot_be_read_is_refused(session: fgcompile.Session, wide: Path) -> None:
    with pytest.raises(InputError, match="no photos are given"):
        fgcompile.read_photos(session, [])
    with pytest.raises(InputError, match=r"fit is 'tile': give crop, squash or letterbox"):
        fgcompile.read_photos(session, wide, fit="tile")
    with pytest.raises(InputError, match=r"absent\.png: no such file"):
        fgcompile.read_photos(session, wide.parent / "absent.png")
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).eval()
    with pytest.raises(InputError, match=r"takes x \(batch, 4\), not photos: session.explain takes arrays"):
        fgcompile.read_photos(fgcompile.compile(model, torch.zeros(2, 4)).session(), wide)


def test_pictures_in_place_of_raw_feeds_are_told_of_it(session: fgcompile.Session, wide: Path) -> None:
    name = session.metadata["inputs"][0]["name"]
    with Image.open(wide) as picture:
        for given in (picture, wide, str(wide)):
            with pytest.raises(InputError, match=r"not a NumPy array: use fgcompile\.read_photos\(session, path\)"):
                session.run({name: given})
