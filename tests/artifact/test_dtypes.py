"""An array of another dtype is refused, and the conversion that is advised keeps what is in it."""

import re

import numpy as np
import pytest

from fgcompile.artifact.dtypes import require_dtype
from fgcompile.errors import InputError

PHOTO = np.random.default_rng(0).integers(0, 256, (1, 6, 8, 3), dtype=np.uint8)
NORMALISED = ((PHOTO / 255 - 0.5) / 0.25).astype(np.float32)
IDS = np.array([[3, 0, 70_000]])


def spec(dtype, *shape):
    return {"name": "x", "dtype": dtype, "shape": ["batch", *shape]}


RAW, TOKENS, TABLE, IMAGE = spec("uint8", 6, 8, 3), spec("int64", 3), spec("float32", 3), spec("float32", 3, 6, 8)


def told(x, of) -> str:
    with pytest.raises(InputError) as caught:
        require_dtype(x, of)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def advised(x, of):
    """What the conversion of the advice, a Python expression, makes of x."""
    found = re.search(r"np\.(?:rint|asarray)\(.*|x\.astype\([a-z0-9_.]+\)", told(x, of))
    assert found is not None, told(x, of)
    return eval(found[0].partition(", of a tensor")[0], {"np": np, "x": x})


@pytest.mark.parametrize(
    "given",
    [
        PHOTO / 255.0,
        (PHOTO / np.float32(255)).astype(np.float32),
        (PHOTO / 255.0).tolist(),
        PHOTO.astype(np.float64),
        PHOTO + 0.25,
        PHOTO.astype(np.int64),
        PHOTO.astype(">u2"),
        PHOTO.tolist(),
    ],
)
def test_a_photo_stays_the_photo(given):
    np.testing.assert_array_equal(
        advised(np.minimum(given, 255) if isinstance(given, np.ndarray) else given, RAW), PHOTO
    )


def test_a_photo_of_booleans_is_black_and_white():
    np.testing.assert_array_equal(advised(PHOTO > 127, RAW), np.where(PHOTO > 127, 255, 0))


@pytest.mark.parametrize(
    ("x", "of", "expected"),
    [
        (NORMALISED, RAW, "as if normalised, which is not for this artifact"),
        (NORMALISED.tolist(), RAW, "as if normalised"),
        (PHOTO.astype(np.float32) * 257, RAW, "scale them so that white is 255"),
        (PHOTO.astype(np.uint16) * 257, RAW, "scale them so that white is 255"),
        (PHOTO.astype(np.int64) - 9, RAW, "give the raw photo, bytes of 0 to 255, as uint8 (batch, 6, 8, 3)"),
        (np.full((1, 6, 8, 3), np.nan), RAW, "NaN or infinite"),
        (PHOTO, IMAGE, "normalise it as in training, as ((x / 255 - mean) / std).astype(np.float32)"),
        (PHOTO.tolist(), IMAGE, "normalise it as in training"),
        (IDS + 0.5, TOKENS, "it has 3.5 at index (0, 0): give whole numbers"),
        ((IDS + 0.5).tolist(), TOKENS, "it has 3.5 at index (0, 0): give whole numbers"),
        (IDS, spec("int16", 3), "it goes from 0 to 70000: give -32768 to 32767"),
        (IDS, spec("bool", 3), "it goes from 0 to 70000: give 0 to 1"),
        (IDS * 1e40, TABLE, "infinite there: scale them"),
        (IDS + 1j, TABLE, "give numbers of float32"),
        ([["a", "b"]], TABLE, "x is a list, not a NumPy array: give one of float32"),
        ([[1.0], [2.0, 3.0]], TABLE, "give one of float32"),
    ],
)
def test_what_no_cast_keeps_is_told_without_one(x, of, expected):
    said = told(x, of)
    assert expected in said
    assert "use " not in said


@pytest.mark.parametrize(
    ("x", "of"),
    [
        (IDS.astype(np.float64), TOKENS),
        (IDS.astype(np.int32), TOKENS),
        (IDS.tolist(), TOKENS),
        (IDS / 7, TABLE),
        (IDS, TABLE),
        ((IDS / 7).tolist(), TABLE),
        (IDS > 5, spec("int64", 3)),
        (np.minimum(IDS, 1), spec("bool", 3)),
    ],
)
def test_casts_that_keep_the_values_are_advised(x, of):
    converted = advised(x, of)
    assert converted.dtype == of["dtype"]
    np.testing.assert_allclose(converted.astype(np.float64), np.asarray(x, np.float64), rtol=1e-6)


def test_an_empty_array_is_cast():
    assert advised(np.zeros((0, 3)), TABLE).shape == (0, 3)
