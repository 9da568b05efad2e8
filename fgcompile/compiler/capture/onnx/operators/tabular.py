"""Operators of tables of features, of the domain ``ai.onnx.ml``, as far as they have a derivative."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.creation import encoded
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.parts import gather
from fgcompile.compiler.capture.onnx.values import as_tensor
from fgcompile.errors import UnsupportedOpError


def scaler(x: Tensor, *, offset: Sequence[float] | None = None, scale: Sequence[float] | None = None) -> Tensor:
    """``(x − offset) · scale``, one number of each for every feature or one for all, as float32."""
    y = x.to(torch.float32)
    y = y if offset is None else y - torch.tensor(offset)
    return y if scale is None else y * torch.tensor(scale)


def normalizer(x: Tensor, *, norm: str = "MAX") -> Tensor:
    """``x / ‖x‖`` along the last axis, as float32, or zero; ``MAX`` is the largest, not its magnitude."""
    y = x.to(torch.float32)
    if norm != "MAX":
        return functional.normalize(y, {"L1": 1, "L2": 2}[norm], -1)
    largest = y.amax(-1, keepdim=True)
    return y / torch.where(largest == 0, 1.0, largest)


def imputer(
    x: Tensor,
    *,
    imputed_value_floats: Sequence[float] | None = None,
    replaced_value_float: float = 0.0,
    imputed_value_int64s: Sequence[int] | None = None,
    replaced_value_int64: int = 0,
) -> Tensor:
    """What is missing, a number or NaN, is another number: one for every feature, or one for all."""
    if x.is_floating_point():
        given, missing = imputed_value_floats, replaced_value_float
    else:
        given, missing = imputed_value_int64s, replaced_value_int64
    if given is None:
        raise UnsupportedOpError(f"it has no values to impute for what it is given ({x.dtype})")
    return torch.where(torch.isnan(x) if math.isnan(missing) else x == missing, torch.tensor(given, dtype=x.dtype), x)


def binarizer(x: Tensor, *, threshold: float = 0.0) -> Tensor:
    return (x > threshold).to(x.dtype)


def feature_vectorizer(*tables: Tensor, inputdimensions: Sequence[int] | None = None) -> Tensor:
    """The features of several tables beside each other, as float32."""
    widths = [1 if table.ndim == 1 else table.shape[1] for table in tables]
    if inputdimensions is not None and list(inputdimensions) != widths:
        raise UnsupportedOpError(f"it takes tables of {list(inputdimensions)} features, and is given {widths}")
    columns = zip(tables, widths, strict=True)
    return torch.cat([table.to(torch.float32).reshape(-1, width) for table, width in columns], 1)


def array_feature_extractor(x: Any, indices: Any) -> Tensor:
    """``x[…, indices]``, indices of any shape one after the other; of a table at least."""
    table = as_tensor(x)
    return gather(table if table.ndim > 1 else table[None], indices.reshape(-1), axis=-1)


def label_encoder(
    x: Tensor,
    *,
    keys_int64s: Sequence[int] | None = None,
    values_int64s: Sequence[int] | None = None,
    default_int64: int = -1,
    values_floats: Sequence[float] | None = None,
    default_float: float = -0.0,
) -> Tensor:
    """The number that stands for each of some whole numbers, and another one for all others."""
    values = values_int64s if values_int64s is not None else values_floats
    if keys_int64s is None or values is None:
        raise UnsupportedOpError("it takes no numbers, or gives none, but text")
    dtype, default = (torch.int64, default_int64) if values is values_int64s else (torch.float32, default_float)
    return torch.tensor([*values, default], dtype=dtype)[_place(x, keys_int64s)]


def one_hot_encoder(x: Tensor, *, cats_int64s: Sequence[int], zeros: int = 1) -> Tensor:
    """1 for the category that a number is, of a new last axis, and else 0, as float32: an embedding of the category."""
    if not zeros:
        raise UnsupportedOpError("it fails for numbers of no category (zeros=0), which no graph does")
    place = _place(x.to(torch.int64), cats_int64s)
    return encoded(place, len(cats_int64s), torch.tensor(0.0), torch.tensor(1.0))


def _place(x: Tensor, numbers: Sequence[int]) -> Tensor:
    """Where each of some whole numbers is first, or behind the last."""
    found = x[..., None] == torch.tensor(numbers)
    return torch.where(found, torch.arange(len(numbers)), len(numbers)).amin(-1)


TABULAR: dict[str, Operator] = {
    "ArrayFeatureExtractor": Operator(array_feature_extractor, either=("x", "indices")),
    "Binarizer": Operator(binarizer),
    "FeatureVectorizer": Operator(feature_vectorizer),
    "Imputer": Operator(imputer),
    "LabelEncoder": Operator(label_encoder, note="of whole numbers"),
    "Normalizer": Operator(normalizer),
    "OneHotEncoder": Operator(one_hot_encoder, note="of whole numbers, as an embedding"),
    "Scaler": Operator(scaler),
}
"""Rows of the domain ``ai.onnx.ml`` that make features of features."""
