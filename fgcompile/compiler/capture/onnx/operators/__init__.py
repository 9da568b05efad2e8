"""The table: what ONNX operators are to PyTorch, by domain and name, one file a family."""

from __future__ import annotations

from collections.abc import Mapping

from fgcompile.compiler.capture.onnx.operators.arithmetic import ARITHMETIC
from fgcompile.compiler.capture.onnx.operators.convolution import CONVOLUTION
from fgcompile.compiler.capture.onnx.operators.creation import CREATION
from fgcompile.compiler.capture.onnx.operators.linear import LINEAR
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.order import ORDER
from fgcompile.compiler.capture.onnx.operators.parts import PARTS
from fgcompile.compiler.capture.onnx.operators.pooling import POOLING
from fgcompile.compiler.capture.onnx.operators.recurrent import RECURRENT
from fgcompile.compiler.capture.onnx.operators.scatter import SCATTER
from fgcompile.compiler.capture.onnx.operators.sequences import SEQUENCES
from fgcompile.compiler.capture.onnx.operators.shape import SHAPE

ONNX = ""
"""The domain of ONNX itself."""

FAMILIES: Mapping[str, Mapping[str, Operator]] = {
    "arithmetic": ARITHMETIC,
    "convolution": CONVOLUTION,
    "linear": LINEAR,
    "pooling": POOLING,
    "shape": SHAPE,
    "parts": PARTS,
    "scatter": SCATTER,
    "creation": CREATION,
    "order": ORDER,
    "sequences": SEQUENCES,
    "recurrent": RECURRENT,
}
"""Rows of ONNX's own domain, by family."""

OPERATORS: dict[tuple[str, str], Operator] = {
    (ONNX, name): row for family in FAMILIES.values() for name, row in family.items()
}
"""All rows."""
