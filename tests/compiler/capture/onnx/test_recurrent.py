"""LSTM, GRU and RNN in all their forms, against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from fgcompile.compiler.capture.onnx.operators.recurrent import gru, lstm, rnn
from tests.compiler.capture.onnx.files import Array, assert_same, graph, model, node, random

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
STEPS, SIZE, HIDDEN = 4, 3, 2

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "lstm": ("LSTM", "x w r", {}),
    "lstm_both_ways": ("LSTM", "x w r b _ h c", {"direction": "bidirectional"}),
    "lstm_backwards": ("LSTM", "x w r b", {"direction": "reverse"}),
    "lstm_peepholes": ("LSTM", "x w r b _ h c p", {"direction": "bidirectional"}),
    "lstm_lengths": ("LSTM", "x w r b l h", {"direction": "bidirectional"}),
    "lstm_clipped": ("LSTM", "x w r b", {"clip": 0.3}),
    "lstm_clipped_twice": ("LSTM", "x w r b _ h c p", {"clip": 0.3, "direction": "bidirectional"}),
    "lstm_coupled": ("LSTM", "x w r b", {"input_forget": 1}),
    "lstm_activations": (
        "LSTM",
        "x w r b",
        {"activations": ["HardSigmoid", "LeakyRelu", "Softsign"], "activation_alpha": [0.3, 0.1]},
    ),
    "gru": ("GRU", "x w r b", {}),
    "gru_reset_after": ("GRU", "x w r b _ h", {"linear_before_reset": 1, "direction": "bidirectional"}),
    "gru_without_bias": ("GRU", "x w r", {"linear_before_reset": 1, "direction": "reverse"}),
    "gru_lengths": ("GRU", "x w r b l", {"linear_before_reset": 1, "direction": "reverse"}),
    "gru_clipped": ("GRU", "x w r b", {"clip": 0.3}),
    "gru_activations": (
        "GRU",
        "x w r b",
        {"activations": ["Sigmoid", "ScaledTanh"], "activation_alpha": [1.7], "activation_beta": [0.6]},
    ),
    "rnn": ("RNN", "x w r b _ h", {"direction": "bidirectional"}),
    "rnn_relu": ("RNN", "x w r b", {"activations": ["Relu"]}),
    "rnn_lengths": ("RNN", "x w r b l", {"direction": "reverse"}),
    "rnn_elu": ("RNN", "x w r", {"activations": ["Elu"], "activation_alpha": [0.7], "clip": 0.5}),
}


def _constants(operator: str, sides: int) -> dict[str, Array]:
    gates = GATES[operator] * HIDDEN
    return {
        "w": random(sides, gates, SIZE),
        "r": random(sides, gates, HIDDEN, seed=1),
        "b": random(sides, 2 * gates, seed=2),
        "p": random(sides, 3 * HIDDEN, seed=3),
    }


@pytest.mark.parametrize("name", CASES)
def test_recurrent(name: str, tmp_path: Path) -> None:
    operator, inputs, attributes = CASES[name]
    sides = 2 if attributes.get("direction") == "bidirectional" else 1
    outputs = ["y", "yh", "yc"][: 3 if operator == "LSTM" else 2]
    one = node(operator, inputs, " ".join(outputs), hidden_size=HIDDEN, **attributes)
    shapes = {"x": (STEPS, 3, SIZE), "h": (sides, 3, HIDDEN), "c": (sides, 3, HIDDEN)}
    feeds: dict[str, Array] = {key: random(*shape, seed=5) for key, shape in shapes.items() if key in inputs.split()}
    if "l" in inputs.split():
        feeds["l"] = np.array([4, 1, 3], np.int32)
    takes = {key: (str(array.dtype), array.shape) for key, array in feeds.items()}
    constants = {key: array for key, array in _constants(operator, sides).items() if key in inputs.split()}
    assert_same(_model(one, takes, outputs, constants), feeds, tmp_path)


def _model(one: onnx.NodeProto, takes: Any, outputs: list[str], constants: dict[str, Array]) -> onnx.ModelProto:
    return model(graph([one], takes, outputs, constants))


@pytest.mark.parametrize("operator", GATES)
def test_batch_in_front(operator: str) -> None:
    """ONNX Runtime has no ``layout=1``: it is the other layout, transposed."""
    compute: Any = {"LSTM": lstm, "GRU": gru, "RNN": rnn}[operator]
    w, r, b, _ = map(torch.from_numpy, _constants(operator, 2).values())
    x, h = torch.from_numpy(random(STEPS, 3, SIZE)), torch.from_numpy(random(2, 3, HIDDEN))
    y, last, *_ = compute(x, w, r, b, None, h, direction="bidirectional")
    other = compute(x.transpose(0, 1), w, r, b, None, h.transpose(0, 1), direction="bidirectional", layout=1)
    torch.testing.assert_close(other[0], y.permute(2, 0, 1, 3))
    torch.testing.assert_close(other[1], last.transpose(0, 1))
