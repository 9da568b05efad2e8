"""A model of an ONNX file as a module: takes and returns the tensors that the file says."""

from __future__ import annotations

from torch import Tensor

from fgcompile.compiler.capture.binding import Named
from fgcompile.compiler.capture.onnx.graph import OnnxGraph
from fgcompile.compiler.capture.onnx.values import Value, as_tensor


class OnnxModule(OnnxGraph, Named):
    """An ONNX graph, without what it does not need for its outputs.

    Attributes:
        input_names: Of the tensors that it takes, in the file's order.
        output_names: Of those that it returns.
    """

    def forward(self, *inputs: Tensor, **named: Tensor) -> tuple[Tensor, ...] | Tensor:
        """The graph's outputs, one alone or several as a tuple, of its inputs in order or by name."""
        scope: dict[str, Value] = {**dict(zip(self.input_names, inputs, strict=False)), **named}
        outputs = tuple(map(as_tensor, self.run(scope)))
        return outputs if len(outputs) > 1 else outputs[0]
