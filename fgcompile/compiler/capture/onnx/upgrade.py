"""A file of any opset as one of a single opset: attributes that became inputs are inputs in all of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import onnx_ir as ir
from onnx import version_converter

from fgcompile.compiler.capture.onnx.onnx_internals import call_with_small_tensors
from fgcompile.errors import SourceError, first_line

OPSET = 24
"""The opset whose definitions the table's rows have."""


def upgraded(model: ir.Model, path: Path) -> ir.Model:
    """The model in ``OPSET``; one of a later opset as it is.

    Raises:
        SourceError: The version converter of ``onnx`` does not know how.
    """
    version = model.graph.opset_imports.get("", OPSET)
    if version >= OPSET:
        return model
    try:
        return call_with_small_tensors(partial(version_converter.convert_version, target_version=OPSET), model)
    except Exception as error:  # a C++ exception of any kind
        raise SourceError(
            f"{path} is of opset {version}, and cannot be brought to opset {OPSET} ({first_line(error)}): export again"
        ) from error
