"""One step of a recurrent cell as ONNX defines it, and a run of its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.errors import UnsupportedOpError

ORDERS = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""PyTorch's gates i, f, g, o and r, z, n, by their places in ONNX's i, o, f, c and z, r, h."""

States = tuple[Tensor, ...]
Functions = Sequence[Sequence[Callable[[Tensor], Tensor]]]


@dataclass(frozen=True)
class Cell:
    """What a direction computes with: weights of inputs and states, their biases, peepholes, and which side it is."""

    weight: Tensor
    recurrent: Tensor
    bias: Tensor | None
    recurrent_bias: Tensor | None
    peepholes: Tensor | None
    side: int


def unrolled(
    x: Tensor, cell: Cell, step: Callable[..., States], states: States, how: tuple[bool, Tensor | None]
) -> tuple[Tensor, States]:
    """All hidden states ``(T, N, H)`` and the last states ``(N, H)``.

    Behind a sample's length its states stay, and what is returned is 0.
    """
    backwards, lengths = how
    steps = x.shape[0]
    if not isinstance(steps, int):
        raise UnsupportedOpError("it runs along an axis of a free size: one graph has a fixed number of steps")
    gates = functional.linear(x, cell.weight, cell.bias)
    outputs: list[Tensor] = []
    for index in reversed(range(steps)) if backwards else range(steps):
        new = step(gates[index], states, cell)
        if lengths is not None:
            goes_on = (index < lengths)[:, None]
            new = tuple(torch.where(goes_on, after, before) for after, before in zip(new, states, strict=True))
            outputs.append(torch.where(goes_on, new[0], torch.zeros_like(new[0])))
        else:
            outputs.append(new[0])
        states = new
    return torch.stack(outputs[::-1] if backwards else outputs), states


def lstm_step(
    gates: Tensor,
    states: States,
    cell: Cell,
    *,
    clip: float | None,
    coupled: bool,
    functions: Functions,
    through: Callable[[Tensor], Tensor] | None = None,
) -> States:
    h, c = states
    h = h if through is None else through(h)
    f, g, last = functions[cell.side]
    of_i, of_f, of_c, of_o = (gates + functional.linear(h, cell.recurrent, cell.recurrent_bias)).chunk(4, -1)
    see_i, see_o, see_f = (None, None, None) if cell.peepholes is None else cell.peepholes.chunk(3)
    i = f(_clipped(_seen(of_i, see_i, c), clip))
    forget = 1 - i if coupled else f(_clipped(_seen(of_f, see_f, c), clip))
    c = forget * c + i * g(_clipped(of_c, clip))
    o = f(_clipped(_seen(of_o, see_o, c), clip))
    return o * last(c), c  # which runtimes do not clip


def gru_step(
    gates: Tensor, states: States, cell: Cell, *, clip: float | None, reset_after: bool, functions: Functions
) -> States:
    (h,) = states
    f, g = functions[cell.side]
    size = h.shape[-1]
    first, last = cell.recurrent[: 2 * size], cell.recurrent[2 * size :]
    biases: Any = (None, None) if cell.recurrent_bias is None else torch.split(cell.recurrent_bias, [2 * size, size])
    of_r, of_z = (gates[..., : 2 * size] + functional.linear(h, first, biases[0])).chunk(2, -1)
    z, r = f(_clipped(of_z, clip)), f(_clipped(of_r, clip))
    seen = r * functional.linear(h, last, biases[1]) if reset_after else functional.linear(r * h, last, biases[1])
    new = g(_clipped(gates[..., 2 * size :] + seen, clip))
    return ((1 - z) * new + z * h,)


def rnn_step(gates: Tensor, states: States, cell: Cell, *, clip: float | None, functions: Functions) -> States:
    (h,) = states
    (f,) = functions[cell.side]
    return (f(_clipped(gates + functional.linear(h, cell.recurrent, cell.recurrent_bias), clip)),)


def _seen(gate: Tensor, peephole: Tensor | None, c: Tensor) -> Tensor:
    return gate if peephole is None else gate + peephole * c


def _clipped(x: Tensor, clip: float | None) -> Tensor:
    return x.clamp(-clip, clip) if clip else x
