"""An ONNX file as a model: its graph, under the names that the file gives its inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnx_ir as ir
from torch import Tensor

from fgcompile.compiler.capture.binding import Named
from fgcompile.compiler.capture.onnx.explained import Explained
from fgcompile.compiler.capture.onnx.facts import InputFact, example
from fgcompile.compiler.capture.onnx.graph import Missing, OnnxGraph
from fgcompile.compiler.capture.onnx.values import Value, as_tensor, known

FACTOR = "how many times the file's batch"
"""The name of a value of the graph that is none of the file's."""


class OnnxModel(OnnxGraph, Named):
    """A file's graph up to what is explained.

    Attributes:
        source_name: What messages and metadata call it.
        inputs: What the file says of the inputs that the graph needs.
        explained: Which tensors it returns.
        labels: The classes' names, where the file has them.
        fixed: Inputs of the file that are constants here.
        batch_axes: Where each input has its batch.
        file_batch: The batch that the file was written for, where nodes were changed to follow another.
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
        self.batch_axes = (0,) * len(self.input_names)
        self.file_batch: int | None = None
        self.source_name = name
        self.explained = explained
        self.labels = labels
        self.fixed: Mapping[str, float] = {}
        self.inputs = tuple(fact for fact in inputs if fact.name in self.input_names)

    def forward(self, *inputs: Tensor, **named: Tensor) -> Any:
        """The tensors by their names in the file; the only one as it is, unless it was asked for by its name."""
        scope: dict[str, Value] = {**dict(zip(self.input_names, inputs, strict=False)), **named}
        if self.file_batch is not None:
            first = scope[self.input_names[0]]
            assert isinstance(first, Tensor)
            scope[FACTOR] = known(first.shape[self.batch_axes[0]] // self.file_batch)
        results = tuple(map(as_tensor, self.run(scope)))
        return results[0] if len(results) == 1 else dict(zip(self.output_names, results, strict=True))

    def example_inputs(self) -> dict[str, Tensor]:
        """An example of each input, by name.

        Raises:
            InputError: The file does not say what is needed.
        """
        return {fact.name: example(fact) for fact in self.inputs}
