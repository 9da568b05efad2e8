"""Examples of a model's inputs, as callers give them: tensors or arrays, one, several, or by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from fgcompile.errors import InputError

Inputs = Tensor | Sequence[Tensor] | Sequence[Tensor | Mapping[str, Tensor]] | Mapping[str, Tensor]
"""A tensor, tensors by position, a mapping by name (as tokenizers return), or tensors and then a mapping."""


def as_inputs(example_inputs: Any, names: Sequence[str] = ()) -> tuple[Tensor, ...]:
    """The inputs, a tensor or several in order, as a tuple of tensors with a common batch dimension.

    Args:
        example_inputs: The inputs.
        names: What to call them in messages, rather than by their positions.

    Raises:
        InputError: There is none, one is not a tensor, or one has no batch dimension.
    """
    if isinstance(example_inputs, Mapping) or not isinstance(example_inputs, Iterable):
        raise InputError(
            f"example_inputs is {type(example_inputs).__name__}: pass a tensor (N, …) or a tuple of tensors"
        )
    inputs = (example_inputs,) if isinstance(example_inputs, Tensor | PackedSequence) else tuple(example_inputs)
    if not inputs:
        raise InputError("example_inputs is empty: pass a tensor (N, …) or a tuple of tensors")
    for name, value in zip(names or range(len(inputs)), inputs, strict=True):
        require_batch(f"example input {name}", value)
    return tuple(map(with_gradients, inputs))


def in_one_batch(values: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Inputs, by name and with the batch in front, of as many samples each: one sample stands for all, as in PyTorch.

    Raises:
        InputError: They have different numbers of them.
    """
    several = {name: len(value) for name, value in values.items() if len(value) > 1}
    first, samples = next(iter(several.items()), ("", 1))
    for name, count in several.items():
        if count != samples:
            raise InputError(
                f"example input {name} has {count} samples and {first} has {samples}: pass the same number of each; "
                "what no sample has of its own belongs into the model, as a buffer"
            )
    return tuple(
        value if len(value) == samples else value.repeat(samples, *[1] * (value.ndim - 1)) for value in values.values()
    )


def with_gradients(value: Tensor) -> Tensor:
    """The tensor, or a copy of one that was made under ``torch.inference_mode``, which autograd does not take."""
    return value.clone() if value.is_inference() else value


def hold(example_inputs: Any) -> Inputs:
    """The inputs as something that can be read more than once, which a generator cannot."""
    again = isinstance(example_inputs, Tensor | Mapping | Sequence) or not isinstance(example_inputs, Iterable)
    return example_inputs if again else tuple(example_inputs)


def with_tensors(given: Any) -> Any:
    """Examples with a tensor in place of each of NumPy's arrays; anything else stays as it is.

    Raises:
        InputError: An array's dtype is none of PyTorch's.
    """
    if isinstance(given, np.ndarray):
        try:
            return torch.tensor(given)
        except TypeError as error:
            raise InputError(f"an example input is an array of {given.dtype}: pass numbers") from error
    if isinstance(given, Mapping) and any(isinstance(value, np.ndarray) for value in given.values()):
        return {name: with_tensors(value) for name, value in given.items()}
    if type(given) in (list, tuple):
        return type(given)(map(with_tensors, given))
    return given


def require_batch(what: str, value: object) -> None:
    if isinstance(value, PackedSequence):
        raise InputError(
            f"{what} is a PackedSequence, whose shape depends on the lengths: pass the padded "
            "tensor (N, L, …), and let the model mask what is behind each end"
        )
    if not isinstance(value, Tensor):
        raise InputError(f"{what} is {type(value).__name__}, not a tensor: pass tensors (N, …)")
    if value.ndim == 0 or value.shape[0] == 0:
        raise InputError(f"{what} has shape {tuple(value.shape)}: it needs a batch of at least 1")
