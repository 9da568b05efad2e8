"""An ONNX file as a model: its graph, under the names that the file gives its inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir
from torch import Tensor

from fgcompile.compiler.capture.onnx.explained import Explained
from fgcompile.compiler.capture.onnx.facts import InputFact, example
from fgcompile.compiler.capture.onnx.graph import Missing
from fgcompile.compiler.capture.onnx.module import OnnxModule


class OnnxModel(OnnxModule):
    """A file's graph up to what is explained.

    Attributes:
        source_name: What messages and metadata call it.
        inputs: What the file says of the inputs that the graph needs.
        explained: Which tensors it returns.
        labels: The classes' names, where the file has them.
    """

    def __init__(
        self,
        graph: ir.Graph,
        missing: Missing,
        name: str,
        explained: Explained,
        inputs: Sequence[InputFact],
        labels: tuple[str, ...] | None,
    ) -> None:
        super().__init__(graph, {}, missing)
        self.source_name = name
        self.explained = explained
        self.labels = labels
        self.inputs = tuple(fact for fact in inputs if fact.name in self.input_names)

    def forward(self, *inputs: Tensor, **named: Tensor) -> Any:
        """The tensors by their names in the file; the only one as it is, unless it was asked for by its name."""
        results = super().forward(*inputs, **named)
        return results if isinstance(results, Tensor) else dict(zip(self.output_names, results, strict=True))

    def example_inputs(self) -> dict[str, Tensor]:
        """An example of each input, by name.

        Raises:
            InputError: The file does not say what is needed.
        """
        return {fact.name: example(fact) for fact in self.inputs}
