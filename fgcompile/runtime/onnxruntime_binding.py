"""ONNX Runtime with inputs and outputs bound to fixed memory on a device, which is what replaying a CUDA graph needs.

For every combination of input shapes and dtypes the memory is allocated once. A call copies its inputs there, runs, and
copies the outputs back; a CUDA graph is captured at the first such call and replayed from then on.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # ships no types

from fgcompile.artifact.validation import Array

Shapes = tuple[tuple[str, tuple[int, ...], str], ...]
"""The name, the shape and the dtype of each input: bytes of another dtype would be copied as they are."""


class BoundSession:
    """A session whose calls use fixed memory; calls from several threads take turns."""

    def __init__(self, session: onnxruntime.InferenceSession, outputs: Sequence[str], device: str) -> None:
        """Binds nothing yet.

        Args:
            session: The session.
            outputs: The names of its outputs, in order.
            device: Where the memory is: ``"cuda"`` or ``"cpu"``.
        """
        self._session = session
        self._outputs = list(outputs)
        self._device = device
        self._bound: dict[Shapes, _Binding] = {}
        self._lock = threading.Lock()

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name."""
        feeds = {name: np.ascontiguousarray(value).reshape(value.shape) for name, value in feeds.items()}
        shapes = tuple((name, value.shape, value.dtype.str) for name, value in feeds.items())
        with self._lock:
            if shapes not in self._bound:
                self._bound[shapes] = self._bind(feeds, len(self._bound))
            return self._bound[shapes].run(feeds)

    def _bind(self, feeds: Mapping[str, Array], number: int) -> _Binding:
        return _Binding(self._session, *bind(self._session, feeds, self._outputs, self._device), number + 1)


def bind(
    session: onnxruntime.InferenceSession, feeds: Mapping[str, Array], names: Sequence[str], device: str
) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Allocates memory for inputs of these shapes, and for the outputs that they give.

    Returns:
        The binding, for ``run_with_iobinding``; the inputs and the outputs in it, by name.
    """
    binding = session.io_binding()
    inputs = {name: _copy(value, device) for name, value in feeds.items()}
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("gpu_graph_id", "-1")  # a call without capture, which tells the outputs' shapes
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, value)
    for name in names:
        binding.bind_output(name, device)
    session.run_with_iobinding(binding, options)
    outputs = dict(zip(names, binding.get_outputs(), strict=True))
    for name, value in outputs.items():
        binding.bind_ortvalue_output(name, value)
    return binding, inputs, outputs


def _copy(value: Array, device: str) -> Any:
    """The value in memory of its own: ``ortvalue_from_numpy`` would share the caller's on a CPU."""
    copy = onnxruntime.OrtValue.ortvalue_from_shape_and_type(value.shape, value.dtype, device, 0)
    copy.update_inplace(value)
    return copy


class _Binding:
    """The memory for one combination of shapes."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        binding: Any,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any],
        number: int,
    ) -> None:
        self._session, self._binding, self._inputs, self._outputs = session, binding, inputs, outputs
        self._options = onnxruntime.RunOptions()
        self._options.add_run_config_entry("gpu_graph_id", str(number))

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        for name, value in feeds.items():
            self._inputs[name].update_inplace(value)
        self._binding.synchronize_inputs()
        self._session.run_with_iobinding(self._binding, self._options)
        self._binding.synchronize_outputs()
        return {name: value.numpy().copy() for name, value in self._outputs.items()}
