"""The table: what ONNX operators are to PyTorch, by domain and name, one file a family."""

from __future__ import annotations

from collections.abc import Mapping

from fgcompile.compiler.capture.onnx.operators.activations import ACTIVATIONS
from fgcompile.compiler.capture.onnx.operators.arithmetic import ARITHMETIC
from fgcompile.compiler.capture.onnx.operators.attention import ATTENTION
from fgcompile.compiler.capture.onnx.operators.blocks import BLOCKS
from fgcompile.compiler.capture.onnx.operators.casts import CASTS
from fgcompile.compiler.capture.onnx.operators.convolution import CONVOLUTION
from fgcompile.compiler.capture.onnx.operators.creation import CREATION
from fgcompile.compiler.capture.onnx.operators.dropout import DROPOUT
from fgcompile.compiler.capture.onnx.operators.functions import FUNCTIONS
from fgcompile.compiler.capture.onnx.operators.fused import FUSED, SIMPLIFIED
from fgcompile.compiler.capture.onnx.operators.fused_attention import FUSED_ATTENTION
from fgcompile.compiler.capture.onnx.operators.images_last import IMAGES_LAST
from fgcompile.compiler.capture.onnx.operators.linear import LINEAR
from fgcompile.compiler.capture.onnx.operators.linear_models import LINEAR_MODELS
from fgcompile.compiler.capture.onnx.operators.logic import LOGIC
from fgcompile.compiler.capture.onnx.operators.normalization import NORMALIZATION
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.order import ORDER
from fgcompile.compiler.capture.onnx.operators.packed import PACKED
from fgcompile.compiler.capture.onnx.operators.pad import PADDING
from fgcompile.compiler.capture.onnx.operators.parts import PARTS
from fgcompile.compiler.capture.onnx.operators.pooling import POOLING
from fgcompile.compiler.capture.onnx.operators.quantization import QUANTIZATION, QUANTIZATION_OF_MICROSOFT
from fgcompile.compiler.capture.onnx.operators.quantized_layers import QUANTIZED_LAYERS
from fgcompile.compiler.capture.onnx.operators.recurrent import RECURRENT
from fgcompile.compiler.capture.onnx.operators.reductions import REDUCTIONS
from fgcompile.compiler.capture.onnx.operators.resize import RESIZE
from fgcompile.compiler.capture.onnx.operators.rotary import ROTARY
from fgcompile.compiler.capture.onnx.operators.sampling import SAMPLING
from fgcompile.compiler.capture.onnx.operators.scatter import SCATTER
from fgcompile.compiler.capture.onnx.operators.sequences import SEQUENCES
from fgcompile.compiler.capture.onnx.operators.shape import SHAPE
from fgcompile.compiler.capture.onnx.operators.signals import SIGNALS
from fgcompile.compiler.capture.onnx.operators.support_vectors import SUPPORT_VECTORS
from fgcompile.compiler.capture.onnx.operators.tabular import TABULAR

ONNX = ""
"""The domain of ONNX itself."""

MICROSOFT = "com.microsoft"
"""The domain of ONNX Runtime."""

ML = "ai.onnx.ml"
"""ONNX's domain of what is no neural network."""

FAMILIES: Mapping[str, Mapping[str, Operator]] = {
    "activations": ACTIVATIONS,
    "arithmetic": ARITHMETIC,
    "attention": {**ATTENTION, **ROTARY},
    "blocks": BLOCKS,
    "casts": CASTS,
    "convolution": CONVOLUTION,
    "creation": CREATION,
    "dropout": DROPOUT,
    "functions": FUNCTIONS,
    "fused": SIMPLIFIED,
    "linear": LINEAR,
    "logic": LOGIC,
    "normalization": NORMALIZATION,
    "order": ORDER,
    "pad": PADDING,
    "parts": PARTS,
    "pooling": POOLING,
    "quantization": QUANTIZATION,
    "recurrent": RECURRENT,
    "reductions": REDUCTIONS,
    "resize": RESIZE,
    "sampling": SAMPLING,
    "scatter": SCATTER,
    "sequences": SEQUENCES,
    "shape": SHAPE,
    "signals": SIGNALS,
}
"""Rows of ONNX's own domain, by family."""

FAMILIES_OF_MICROSOFT: Mapping[str, Mapping[str, Operator]] = {
    "fused": FUSED,
    "fused attention": FUSED_ATTENTION,
    "images last": IMAGES_LAST,
    "packed": PACKED,
    "quantization": QUANTIZATION_OF_MICROSOFT,
    "quantized layers": QUANTIZED_LAYERS,
    "older": {"GatherND": PARTS["GatherND"], "Trilu": CREATION["Trilu"], "Range": CREATION["Range"]},
}
"""Rows of ONNX Runtime's own domain, by family: what its optimiser makes, and what ONNX had later."""

FAMILIES_OF_ML: Mapping[str, Mapping[str, Operator]] = {
    "tabular": TABULAR,
    "linear models": LINEAR_MODELS,
    "support vectors": SUPPORT_VECTORS,
}
"""Rows of the domain ``ai.onnx.ml``, by family."""

OPERATORS: dict[tuple[str, str], Operator] = {
    (domain, name): row
    for domain, families in ((ONNX, FAMILIES), (MICROSOFT, FAMILIES_OF_MICROSOFT), (ML, FAMILIES_OF_ML))
    for family in families.values()
    for name, row in family.items()
}
"""All rows."""
