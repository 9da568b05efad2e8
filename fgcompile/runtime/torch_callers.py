"""PyTorch's tensors beside NumPy's arrays: a call that is given tensors answers with tensors, where they were.

Nothing here imports torch: who has a tensor has imported it.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.errors import InputError
from fgcompile.runtime.explanation import Explanation


def as_arrays(value: Any) -> tuple[Any, Any]:
    """What a call is given, with an array in place of each tensor; and the device of the first, None without any.

    Args:
        value: An array or tensor, or a tuple, list or mapping of such; anything else stays as it is.

    Raises:
        InputError: A tensor's dtype is none of NumPy's.
    """
    devices: list[Any] = []
    arrays = _converted(value, devices)
    return arrays, devices[0] if devices else None


def as_tensors(explanation: Explanation, device: Any) -> Explanation:
    """The explanation with a tensor on the device in place of each array."""

    def convert(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return of_array(value, device)
        if isinstance(value, Mapping):
            return {name: convert(each) for name, each in value.items()}
        return tuple(map(convert, value)) if isinstance(value, tuple) else value

    fields = {field.name: convert(getattr(explanation, field.name)) for field in dataclasses.fields(explanation)}
    return dataclasses.replace(explanation, **fields)


def of_array(array: NDArray[Any], device: Any) -> Any:
    """The array as a tensor on the device."""
    return sys.modules["torch"].from_numpy(array).to(device)


def _converted(value: Any, devices: list[Any]) -> Any:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        devices.append(value.device)
        try:
            return value.detach().cpu().numpy()
        except TypeError as error:  # bfloat16 and its like
            raise InputError(f"a tensor is {value.dtype}, which NumPy has not: pass .float()") from error
    if isinstance(value, Mapping):
        return {name: _converted(each, devices) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_converted(each, devices) for each in value)
    return value
