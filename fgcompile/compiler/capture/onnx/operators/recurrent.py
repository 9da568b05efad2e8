"""LSTM, GRU and RNN: PyTorch's own where a node is as those are, else its cell step by step.

Inputs are ``(T, N, I)`` and states ``(D, N, H)`` for D directions; with ``layout=1`` the batch is in front.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.cells import ORDERS, Cell, gru_step, lstm_step, rnn_step, unrolled
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.recurrent_activations import activations_of
from fgcompile.errors import UnsupportedOpError

Weight = Tensor | list[Tensor]
"""Of all directions, as the file has it, or one for each, with gates in PyTorch's order."""


def lstm(
    x: Tensor,
    w: Weight,
    r: Weight,
    b: Weight | None = None,
    sequence_lens: Any = None,
    initial_h: Tensor | None = None,
    initial_c: Tensor | None = None,
    p: Tensor | None = None,
    *,
    activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None,
    activations: Sequence[str] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    input_forget: int = 0,
    layout: int = 0,
    through: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """``c = f ⊙ c + i ⊙ g(…)``, ``h = o ⊙ h(c)``; gates i, o, f, c in the file, peepholes i, o, f.

    ``through``, which no file has, is what a state goes through before it is multiplied.
    """
    sides = len(w)
    functions = activations_of(activations, ("Sigmoid", "Tanh", "Tanh"), sides, activation_alpha, activation_beta)
    lengths = _lengths(sequence_lens, x.shape[layout])
    plain = not activations or list(activations) == ["Sigmoid", "Tanh", "Tanh"] * sides
    plain = plain and p is None and not clip and not input_forget and lengths is None and through is None
    step = partial(lstm_step, clip=clip, coupled=bool(input_forget), functions=functions, through=through)
    run = torch.lstm if plain else None
    weights = (*_ordered("LSTM", w, r, b), p)
    y, (h, c) = _recurrent(x, weights, [initial_h, initial_c], (run, step, lengths, direction, layout))
    return y, h, c


def gru(
    x: Tensor,
    w: Weight,
    r: Weight,
    b: Weight | None = None,
    sequence_lens: Any = None,
    initial_h: Tensor | None = None,
    *,
    activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None,
    activations: Sequence[str] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
    linear_before_reset: int = 0,
) -> tuple[Tensor, Tensor]:
    """``h = (1 − z) ⊙ g(…) + z ⊙ h``; gates z, r, h in the file."""
    sides = len(w)
    functions = activations_of(activations, ("Sigmoid", "Tanh"), sides, activation_alpha, activation_beta)
    lengths = _lengths(sequence_lens, x.shape[layout])
    plain = not activations or list(activations) == ["Sigmoid", "Tanh"] * sides
    plain = plain and bool(linear_before_reset) and not clip and lengths is None
    step = partial(gru_step, clip=clip, reset_after=bool(linear_before_reset), functions=functions)
    run = torch.gru if plain else None
    weights = (*_ordered("GRU", w, r, b), None)
    y, (h,) = _recurrent(x, weights, [initial_h], (run, step, lengths, direction, layout))
    return y, h


def rnn(
    x: Tensor,
    w: Weight,
    r: Weight,
    b: Weight | None = None,
    sequence_lens: Any = None,
    initial_h: Tensor | None = None,
    *,
    activation_alpha: Sequence[float] | None = None,
    activation_beta: Sequence[float] | None = None,
    activations: Sequence[str] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
) -> tuple[Tensor, Tensor]:
    """``h = f(W x + R h + b)``."""
    sides = len(w)
    functions = activations_of(activations, ("Tanh",), sides, activation_alpha, activation_beta)
    lengths = _lengths(sequence_lens, x.shape[layout])
    names = set(activations or ["Tanh"])
    fused = {"Tanh": torch.rnn_tanh, "Relu": torch.rnn_relu}.get(next(iter(names)))
    run = fused if len(names) == 1 and not clip and lengths is None else None
    step = partial(rnn_step, clip=clip, functions=functions)
    y, (h,) = _recurrent(x, (*_ordered("RNN", w, r, b), None), [initial_h], (run, step, lengths, direction, layout))
    return y, h


Weights = tuple[list[Tensor], list[Tensor], list[Tensor] | None, Tensor | None]
How = tuple[Callable[..., Any] | None, Callable[..., Any], Tensor | None, str, int]


def by_direction(kind: str, gates: Any) -> list[Any]:
    """Gates ``(D, G·H, …)``, or both biases of them, ``(D, 2·G·H)``, of each direction, in PyTorch's order."""
    order = ORDERS[kind]
    sizes = (gates.shape[0], -1, len(order), gates.shape[1] // len(order) // (2 if gates.ndim == 2 else 1))
    parted = gates.reshape(*sizes, *gates.shape[2:])[:, :, list(order)].reshape(gates.shape)
    return [parted[side] for side in range(gates.shape[0])]


def _ordered(kind: str, *weights: Tensor | list[Tensor] | None) -> Any:
    """The same of those that are not constants, which had it done to them when the graph was made."""
    return [by_direction(kind, each) if isinstance(each, Tensor) else each for each in weights]


def _row(compute: Callable[..., Any], kind: str) -> Operator:
    return Operator(
        compute,
        either=("sequence_lens",),
        prepare={name: partial(by_direction, kind) for name in "wrb"},
        note="of a fixed number of steps",
    )


def _recurrent(
    x: Tensor, weights: Weights, initial: Sequence[Tensor | None], how: How
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """All hidden states ``(T, D, N, H)``, and the last states ``(D, N, H)``."""
    run, step, lengths, direction, layout = how
    # The batch is behind the steps, here and in PyTorch.
    x = x.transpose(0, 1) if layout else x
    shape = (len(weights[0]), x.shape[1], weights[1][0].shape[-1])
    states = [_state(each, x, shape, layout) for each in initial]
    if run is not None:
        y, last = _fused(run, x, weights, states, direction)
    else:
        y, last = _by_steps(step, x, weights, states, lengths, direction)
    if layout:
        return y.permute(2, 0, 1, 3), tuple(each.transpose(0, 1) for each in last)
    return y, last


def _state(given: Tensor | None, x: Tensor, shape: Sequence[Any], layout: int) -> Tensor:
    if given is None:
        return x.new_zeros(shape)
    state = given.transpose(0, 1) if layout else given
    # PyTorch's own layers read and write behind a state that is too small.
    found = tuple(state.shape)
    if len(found) != 3 or any(isinstance(one, int) and one != size for one, size in zip(found, shape, strict=True)):
        raise UnsupportedOpError(
            f"a state of shape {found} where it takes {tuple(shape)}, with the samples on the axis in the middle: "
            "where an input has its batch on another axis, say so, as --layout h='c n c'"
        )
    return state


def _fused(
    run: Callable[..., Any],
    x: Tensor,
    weights: Weights,
    states: Sequence[Tensor],
    direction: str,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """PyTorch's own, forwards, backwards or both ways."""
    w, r, b, _ = weights
    flat: list[Tensor] = []
    for side in range(len(w)):
        flat += [w[side], r[side], *(() if b is None else b[side].chunk(2))]
    backwards, both = direction == "reverse", direction == "bidirectional"
    x = x.flip(0) if backwards else x
    state = tuple(states) if len(states) > 1 else states[0]
    y, *last = run(x, state, flat, b is not None, 1, 0.0, False, both, False)
    y = y.flip(0) if backwards else y
    steps = y.unflatten(-1, (2, y.shape[-1] // 2)).permute(0, 2, 1, 3) if both else y.unsqueeze(1)
    return steps, tuple(last)


def _by_steps(
    step: Callable[..., Any],
    x: Tensor,
    weights: Weights,
    states: Sequence[Tensor],
    lengths: Tensor | None,
    direction: str,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    w, r, b, p = weights
    found = []
    for side in range(len(w)):
        first, second = (None, None) if b is None else b[side].chunk(2)
        cell = Cell(w[side], r[side], first, second, None if p is None else p[side], side)
        own = tuple(each[side] for each in states)
        backwards = direction == "reverse" or side == 1
        found.append(unrolled(x, cell, step, own, (backwards, lengths)))
    y = torch.stack([each for each, _ in found], 1)
    return y, tuple(torch.stack(each) for each in zip(*(last for _, last in found), strict=True))


def _lengths(given: Any, steps: Any) -> Tensor | None:
    """Lengths of samples ``(N,)``; None where all of them have all steps."""
    if given is None:
        return None
    if isinstance(given, np.ndarray):
        if given.dtype == object:
            raise UnsupportedOpError("its sequence_lens are computed from free sizes")
        if (given == steps).all():
            return None
        return torch.from_numpy(np.array(given))
    return given if isinstance(given, Tensor) else None


RECURRENT: dict[str, Operator] = {"LSTM": _row(lstm, "LSTM"), "GRU": _row(gru, "GRU"), "RNN": _row(rnn, "RNN")}
