"""Whole layers that ONNX Runtime quantises at run time: attention, embeddings of tokens, LSTM.

Their weights are dequantised when a graph is built. What an LSTM rounds by itself has each sample's own range.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from fgcompile.compiler.capture.onnx.levels import Number, along
from fgcompile.compiler.capture.onnx.operators.fused import embed_layer_normalization
from fgcompile.compiler.capture.onnx.operators.fused_attention import attention
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.quantization import Quantised, dynamic_quantize_linear, levels
from fgcompile.compiler.capture.onnx.operators.recurrent import lstm


def quantized_attention(
    x: Quantised,
    weight: Quantised,
    bias: Tensor,
    x_scale: Tensor,
    weight_scale: Tensor,
    mask_index: Tensor | None = None,
    x_zero_point: Number | None = None,
    weight_zero_point: Number | None = None,
    past: Tensor | None = None,
    **attributes: Any,
) -> tuple[Tensor, Tensor]:
    """Attention whose projections are of levels."""
    real, own = levels(x, x_zero_point) * x_scale, _real(weight, weight_scale, weight_zero_point)
    return attention(real, own, bias, mask_index, past, **attributes)


def _real(weight: Quantised, scale: Tensor, zero: Number | None) -> Tensor:
    """A matrix with a scale for each column, or one for all."""
    real: Tensor = levels(weight, along(zero, 2, 1)) * along(scale, 2, 1)
    return real


def quantized_embed_layer_normalization(
    input_ids: Tensor,
    segment_ids: Tensor | None,
    word_embedding: Tensor,
    position_embedding: Tensor,
    segment_embedding: Tensor | None,
    gamma: Tensor,
    beta: Tensor,
    mask: Tensor | None,
    *others: Any,
    epsilon: float = 1e-12,
) -> tuple[Tensor, Tensor, Tensor]:
    """LayerNorm of the sum of embeddings, tables and parameters of 8 bits; behind them their scales and zero points."""
    tables = (word_embedding, position_embedding, segment_embedding, gamma, beta)
    own = [
        None if table is None else levels(table, zero) * scale
        for table, scale, zero in zip(tables, others[:5], others[5:], strict=True)
    ]
    word, position, segment, scale, shift = own
    assert word is not None
    assert position is not None
    assert scale is not None
    assert shift is not None
    return embed_layer_normalization(
        input_ids, segment_ids, word, position, segment, scale, shift, mask, epsilon=epsilon
    )


def dynamic_quantize_lstm(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None,
    sequence_lens: Any,
    initial_h: Tensor | None,
    initial_c: Tensor | None,
    p: Tensor | None,
    w_scale: Tensor,
    w_zero_point: Number,
    r_scale: Tensor,
    r_zero_point: Number,
    **attributes: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    """An LSTM of weights ``(D, I, 4 H)`` whose inputs, of all steps, and states, of each, are rounded to levels."""
    weights, recurrent = _by_side(w, w_scale, w_zero_point), _by_side(r, r_scale, r_zero_point)
    rounded = _rounded(x.transpose(0, 1)).transpose(0, 1)  # samples are behind the steps
    others = (b, sequence_lens, initial_h, initial_c, p)
    return lstm(rounded, weights, recurrent, *others, through=_rounded, **attributes)


def _by_side(weight: Tensor, scale: Tensor, zero: Number) -> Tensor:
    """``(D, 4 H, I)`` with a scale for each direction, or each gate of one."""
    sides = weight.shape[0]
    return (levels(weight, zero.reshape(sides, 1, -1)) * scale.reshape(sides, 1, -1)).transpose(1, 2)


def _rounded(x: Tensor) -> Tensor:
    """What dequantisation makes of levels of each sample's own range."""
    found, scale, _ = dynamic_quantize_linear(x)
    return found.level * scale


ZEROS = ("x_zero_point", "weight_zero_point", "w_zero_point", "r_zero_point")

QUANTIZED_LAYERS: dict[str, Operator] = {
    "DynamicQuantizeLSTM": Operator(
        dynamic_quantize_lstm, either=("sequence_lens", *ZEROS), note="ranges are each sample's own"
    ),
    "QAttention": Operator(quantized_attention, either=ZEROS, levels=True),
    "QEmbedLayerNormalization": Operator(quantized_embed_layer_normalization),
}
"""Rows of ONNX Runtime's domain, ``com.microsoft``."""
