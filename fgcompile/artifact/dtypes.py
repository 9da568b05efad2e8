"""An array of another dtype than an input's is refused, with a conversion that keeps what is in it.

What that is depends on the input and on the values: a photo of 0 to 1 that is cast to bytes is black, and bytes that
are cast to floating-point numbers are not what a model was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.metadata import TensorSpec
from fgcompile.errors import InputError

_IMAGE_AXES = 4
"""Of a batch of images: what is of another dtype there was normalised, or has to be."""


@dataclass(frozen=True)
class _Given:
    """Numbers of another dtype than an input's.

    Attributes:
        array: They.
        written: What they are in Python, as an array.
        cast: The expression that casts them.
    """

    array: NDArray[Any]
    written: str
    cast: str


def require_dtype(array: object, spec: TensorSpec) -> None:
    """Passes arrays of an input's dtype.

    Raises:
        InputError: It is of another, or no array: the error says how to convert it so that its values stay.
    """
    name, dtype = spec["name"], np.dtype(spec["dtype"])
    if not isinstance(array, np.ndarray):
        raise InputError(f"{name} is a {type(array).__name__}, not a NumPy array: {_from_other(array, spec)}")
    if isinstance(array, np.ma.MaskedArray):
        raise InputError(f"{name} is a masked array, whose mask would be lost: use {name}.filled(…) with a value")
    if array.dtype != dtype:
        given = array.dtype.name if array.dtype.isnative else f"{array.dtype.name} in foreign byte order"
        cast = f"{name}.astype({_numpy(dtype)}), of a tensor {name}.to(torch.{dtype.name})"
        advice = _advice(_Given(array, name, cast), spec)
        raise InputError(f"{name} is {given}, the artifact takes {dtype.name}: {advice}")


def _from_other(value: object, spec: TensorSpec) -> str:
    dtype = np.dtype(spec["dtype"])
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):  # rows of different lengths, a tensor of no dtype of NumPy's
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        return f"give one of {dtype.name}"
    cast = f"np.asarray({spec['name']}, dtype={_numpy(dtype)})"
    return _advice(_Given(array, f"np.asarray({spec['name']})", cast), spec)


def _advice(given: _Given, spec: TensorSpec) -> str:
    """What to do with them: the cast where that keeps what they say."""
    array, dtype = given.array, np.dtype(spec["dtype"])
    images = len(spec["shape"]) == _IMAGE_AXES
    if array.dtype.kind not in "biuf":
        return f"give numbers of {dtype.name}"
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return "it has values that are NaN or infinite: replace or drop them first"
    problem = None
    if array.size and array.dtype != dtype:
        if dtype == np.uint8 and images:
            problem = _no_photo(given, spec)
        elif dtype.kind == "f":
            problem = _no_floats(given, dtype, images)
        else:
            problem = _not_whole(array, dtype)
    return problem or f"use {given.cast}"


def _no_photo(given: _Given, spec: TensorSpec) -> str | None:
    array = given.array
    low, high = array.min(), array.max()
    raw = f"give the raw photo, bytes of 0 to 255, as uint8 ({', '.join(map(str, spec['shape']))})"
    if array.dtype.kind in "bf" and low >= 0 and high <= 1:
        return f"{raw}; values of 0 to 1 times 255, as np.rint(255.0 * {given.written}).astype(np.uint8)"
    if low < 0:
        return f"{raw}; these go from {low:.3g} to {high:.3g}, as if normalised, which is not for this artifact"
    if high > 255:
        return f"{raw}; these go up to {high:.6g}: scale them so that white is 255"
    return None if _is_whole(array) else f"{raw}; round these, as np.rint({given.written}).astype(np.uint8)"


def _no_floats(given: _Given, dtype: np.dtype[Any], images: bool) -> str | None:
    if given.array.dtype.kind in "iu" and images:
        return (
            f"normalise it as in training, as (({given.written} / 255 - mean) / std).astype({_numpy(dtype)}) of a "
            "photo, or compile with preprocess=Preprocess(mean, std), for an artifact that takes the raw photo"
        )
    largest = np.abs(given.array.astype(np.float64)).max()
    if largest > np.finfo(dtype).max:
        return f"it has magnitudes up to {largest:.3g}, which are infinite there: scale them"
    return None


def _not_whole(array: NDArray[Any], dtype: np.dtype[Any]) -> str | None:
    """Of what is to be whole numbers, or the zeros and ones of booleans."""
    if not _is_whole(array):
        place = tuple(map(int, np.unravel_index(np.argmax(array != np.floor(array)), array.shape)))
        return f"it has {array[place]:.6g} at index {place}: give whole numbers"
    least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    low, high = int(array.min()), int(array.max())
    return None if least <= low and high <= most else f"it goes from {low} to {high}: give {least} to {most}"


def _is_whole(array: NDArray[Any]) -> bool:
    return array.dtype.kind != "f" or bool((array == np.floor(array)).all())


def _numpy(dtype: np.dtype[Any]) -> str:
    return "np.bool_" if dtype.kind == "b" else f"np.{dtype.name}"
