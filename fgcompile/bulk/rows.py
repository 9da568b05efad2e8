"""The rows of a bulk run: plain Arrow columns, which pandas, pyarrow and DuckDB read without Ray or fgcompile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import LOGITS


def row_schema(metadata: Metadata, format: str, shape: tuple[int, int, int] | None) -> pa.Schema:
    """The columns of the results.

    ``target`` is the explained class, ``label`` and ``score`` its name and logit, ``predicted`` the class of the
    highest logit; of outputs of more axes both are lists, an index for each. Of a score that was fixed ``target`` is
    null, ``label`` what it is called, and ``score`` its value where the outputs say it. The map of shape
    ``(height, width)`` is in ``saliency``, float32, row by row, or in the file that ``file`` names, relative to the
    run's folder. An image that is no picture has its ``error``, and nothing else; one on which numbers overflowed has a
    ``warning``.

    Args:
        metadata: The artifact's.
        format: Of the maps.
        shape: ``(H, W, C)`` of the photos; None where each has a size of its own.
    """
    (logits,) = (spec for spec in metadata["outputs"] if spec["name"] == LOGITS)
    element = pa.list_(pa.int64()) if len(logits["shape"]) > 2 else pa.int64()
    fields = [
        pa.field("path", pa.string()),
        pa.field("predicted", element),
        pa.field("target", element),
        pa.field("label", pa.string()),
        pa.field("score", pa.float32()),
    ]
    if any(spec["name"] == "residual" for spec in metadata["outputs"]):
        fields.append(pa.field("residual", pa.float32()))
    fields += [pa.field("height", pa.int32()), pa.field("width", pa.int32())]
    if format == "parquet":
        size = -1 if shape is None else shape[0] * shape[1]
        fields.append(pa.field("saliency", pa.list_(pa.float32(), size)))
    else:
        fields.append(pa.field("file", pa.string()))
    return pa.schema([*fields, pa.field("warning", pa.string()), pa.field("error", pa.string())])


def make_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """The rows, with null where they say nothing."""
    return pa.table([_column([row.get(field.name) for row in rows], field.type) for field in schema], schema=schema)


def _column(values: Sequence[Any], type: pa.DataType) -> pa.Array:
    if not pa.types.is_fixed_size_list(type):
        return pa.array(values, type)
    numbers = np.zeros((len(values), type.list_size), np.float32)
    for number, value in enumerate(values):
        if value is not None:
            numbers[number] = value
    return pa.FixedSizeListArray.from_arrays(numbers.ravel(), type=type, mask=pa.array([v is None for v in values]))
