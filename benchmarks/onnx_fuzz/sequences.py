"""Recurrent operators, attention and positions that turn."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.onnx_fuzz.drawing import Draw, Fixed, Given, Node, Row

ACTIVATIONS = ["Tanh", "Sigmoid", "Relu", "Softsign", "tanh", "HardSigmoid", "LeakyRelu", "Elu", "relu"]
"""Without Softplus, which overflows in ONNX Runtime behind gates without bounds."""


def recurrent(kind: str, gates: int, activations: int, draw: Draw) -> Node:
    direction = draw.choice(["forward", "reverse", "bidirectional"])
    ways, (steps, batch) = 2 if direction == "bidirectional" else 1, (draw.randint(1, 4), draw.randint(1, 3))
    attributes: dict[str, Any] = {"direction": direction, "hidden_size": 2}
    attributes |= draw.some(clip=[0.5, 2.0]) if draw.chance(0.3) else {}
    attributes |= draw.some(linear_before_reset=[0, 1]) if kind == "GRU" else {}
    attributes |= {"input_forget": 1} if kind == "LSTM" and draw.chance(0.3) else {}
    if draw.chance(0.3):
        attributes["activations"] = [draw.choice(ACTIVATIONS) for _ in range(activations * ways)]
    weights: list[Given] = [Fixed(draw.normal(ways, gates * 2, width)) for width in (3, 2)]
    bias = Fixed(draw.normal(ways, 4 * gates)) if draw.chance(0.7) else None
    lengths = draw.either(draw.integers(1, steps + 1, batch).astype(np.int32)) if draw.chance(0.3) else None
    given: list[Given] = [draw.normal(steps, batch, 3), *weights, bias, lengths, _state(draw, ways, batch)]
    if kind == "LSTM":
        peepholes = Fixed(draw.normal(ways, 6)) if draw.chance(0.3) else None
        given += [_state(draw, ways, batch), peepholes]
    return Node(given, attributes, (7, 24), 3 if kind == "LSTM" else 2)


def _state(draw: Draw, ways: int, batch: int) -> Given:
    return draw.either(draw.normal(ways, batch, 2)) if draw.chance(0.4) else None


def attention(draw: Draw) -> Node:
    batch, queries, keys, width = 2, 3, draw.choice([3, 4]), 4
    heads, shared = draw.choice([(2, 1), (2, 2), (4, 2), (4, 1)])
    sizes = ((heads, queries), (shared, keys), (shared, keys))
    attributes: dict[str, Any] = draw.some(is_causal=[0, 1], softcap=[0.0, 2.0], scale=[0.3])
    if draw.chance():
        q, k, v = (draw.normal(batch, number, length, width) for number, length in sizes)
    else:
        q, k, v = (draw.normal(batch, length, number * width) for number, length in sizes)
        attributes |= {"q_num_heads": heads, "kv_num_heads": shared}
    past = 2 if draw.chance(0.3) else 0
    pair = [draw.normal(batch, shared, past, width) for _ in range(2)] if past else [None, None]
    return Node(
        [q, k, v, _mask(draw, (batch, heads, queries, keys + past)), *pair], attributes, (23, 24), 3 if past else 1
    )


def _mask(draw: Draw, whole: tuple[int, int, int, int]) -> Given:
    kind = draw.choice(["nothing", "truths", "numbers"])
    if kind == "nothing":
        return None
    batch, _, queries, keys = whole
    shape = draw.choice([(queries, keys), (1, 1, queries, keys), (batch, 1, queries, keys), whole])
    numbers = draw.normal(*shape)
    if kind == "numbers":
        return draw.either(numbers)
    truths = numbers > -0.8
    truths[..., 0] = True  # a row that looks nowhere has no meaning that all agree on
    return draw.either(truths)


def rotary(draw: Draw) -> Node:
    batch, length, heads, width = 2, 3, 2, 4
    by_heads, part, placed = draw.chance(), draw.chance(0.3), draw.chance()
    half = 1 if part else 2
    attributes = draw.some(interleaved=[0, 1]) | ({"rotary_embedding_dim": 2} if part else {})
    attributes |= {} if by_heads and not part else {"num_heads": heads}
    x = draw.normal(batch, heads, length, width) if by_heads else draw.normal(batch, length, heads * width)
    table = (6, half) if placed else (batch, length, half)
    places = draw.integers(0, 6, batch, length) if placed else None
    return Node([x, Fixed(draw.normal(*table)), Fixed(draw.normal(*table)), places], attributes, (23, 24))


SEQUENCES: dict[str, Row] = {
    "LSTM": partial(recurrent, "LSTM", 4, 3),
    "GRU": partial(recurrent, "GRU", 3, 2),
    "RNN": partial(recurrent, "RNN", 1, 1),
    "Attention": attention,
    "RotaryEmbedding": rotary,
}
"""Rows by operator."""
