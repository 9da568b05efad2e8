"""An ONNX file as a model: its graph, under the names that the file gives its inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor, nn

from fgcompile.artifact.layouts import written_axis
from fgcompile.compiler.capture.binding import Named
from fgcompile.compiler.capture.onnx.explained import Explained
from fgcompile.compiler.capture.onnx.facts import InputFact, example
from fgcompile.compiler.capture.onnx.graph import Compute, Missing, OnnxGraph, Step
from fgcompile.compiler.capture.onnx.node import OnnxNode
from fgcompile.compiler.capture.onnx.operators.quantization import ROUNDING
from fgcompile.compiler.capture.onnx.values import Value, as_tensor, known
from fgcompile.errors import UnsupportedOpError

SAMPLES = "how many samples"
"""The name of a value of the graph that is none of the file's."""

FOR_THE_BATCH = {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}
"""Operators that ONNX Runtime computes with something of the whole batch."""


def _returned(name: str, value: Value) -> Tensor:
    if isinstance(value, list):
        raise UnsupportedOpError(f"'{name}' is a sequence of tensors: explain one of them, as --explained NAME")
    if value is None:
        raise UnsupportedOpError(f"'{name}' is text, which has no gradient: explain another tensor, --explained NAME")
    return as_tensor(value)


class OnnxModel(OnnxGraph, Named):
    """A file's graph up to what is explained.

    Attributes:
        source_name: What messages and metadata call it.
        inputs: What the file says of the inputs that the graph needs.
        of_bytes: Those of them that are bytes in the file, and real numbers here.
        explained: Which tensors it returns.
        asked: The name of the one that was asked for, if one was.
        labels: The classes' names, where the file has them.
        labels_problem: Why it has none, though its metadata have something for them.
        path: Where the file is.
        unread: Inputs of the file that nothing it returns here is computed of.
        fixed: Inputs of the file that are constants here.
        batch_axes: Where each input has its batch.
        apart: Whether ONNX Runtime makes a sample's result depend on its neighbours, as where it finds the range to
            quantise to at run time: here each has its own, as there one at a time.
        quantised: Whether it rounds to levels.
        file_batch: The batch that the file was written for, where nodes were changed to follow another.
        alone: Whether it takes one sample alone, as its file has it.
        sample_axes: Where the tensors of such a file have the samples, by name.
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
        self.asked: str | None = None
        self.batch_axes = (0,) * len(self.input_names)
        self.file_batch: int | None = None
        self.alone = False
        self.sample_axes: Mapping[str, int] = {}
        operators = {getattr(getattr(self, step.child), "operator_name", "") for step in self.steps}
        self.apart = not operators.isdisjoint(FOR_THE_BATCH)
        self.quantised = not operators.isdisjoint(ROUNDING)
        self.source_name = name
        # Without the graph's values, which would keep the file's bytes beside the weights.
        self.explained = replace(explained, values=())
        self.labels = labels
        self.labels_problem: str | None = None
        self.path = Path()
        self.unread: tuple[str, ...] = ()
        self.fixed: Mapping[str, float] = {}
        self.inputs = tuple(fact for fact in inputs if fact.name in self.input_names)
        self.of_bytes = tuple(fact.name for fact in self.inputs if fact.of_bytes)

    def forward(self, *inputs: Tensor, **named: Tensor) -> Any:
        """The tensors by their names in the file; the only output, or its logits, as it is."""
        scope = self.scope({**dict(zip(self.input_names, inputs, strict=False)), **named})
        results = tuple(map(_returned, self.output_names, self.run(scope)))
        return (
            results[0]
            if self.asked is None and len(results) == 1
            else dict(zip(self.output_names, results, strict=True))
        )

    def scope(self, feeds: Mapping[str, Tensor]) -> dict[str, Value]:
        """What the graph is run in, of inputs by name."""
        if self.file_batch is None:
            return dict(feeds)
        return {**feeds, SAMPLES: known(feeds[self.input_names[0]].shape[self.batch_axes[0]])}

    def unchange(self) -> None:
        """Nodes compute what the file says again."""
        for step in self.steps:
            step.inputs = tuple(name for name in step.inputs if name != SAMPLES)
            child = getattr(self, step.child)
            if isinstance(child, OnnxNode):
                child.change = None

    def tensors(
        self, feeds: Mapping[str, Tensor], names: Iterable[str], call: Compute | None = None
    ) -> dict[str, Tensor]:
        """Tensors of the file by name, inner ones too, of inputs by name; ``call`` computes nodes as in ``run``."""
        wanted, found = set(names), dict[str, Tensor]()

        def compute(step: Step, child: nn.Module, values: list[Value]) -> Sequence[Value]:
            results: Sequence[Value] = child(*values) if call is None else call(step, child, values)
            named = zip(step.outputs, results, strict=False)
            found.update((name, _returned(name, each)) for name, each in named if name in wanted and each is not None)
            return results

        with torch.no_grad():
            results = self.run(self.scope(feeds), compute)
        # An output may be an input, or a constant, which no node computes.
        returned = zip(self.output_names, results, strict=True)
        found.update((name, _returned(name, value)) for name, value in returned if name in wanted - found.keys())
        return found

    def dtypes(self) -> set[torch.dtype]:
        """Of floating-point numbers that the graph computes with."""
        casts = {getattr(getattr(self, step.child), "dtype", None) for step in self.steps}
        found = {*casts, *(one.dtype for one in self.parameters()), *(fact.dtype for fact in self.inputs)}
        return {dtype for dtype in found if dtype is not None and dtype.is_floating_point}

    def titles(self) -> dict[str, str]:
        """The nodes by the names of the tensors that they compute, in the file's order."""
        return {name: getattr(self, step.child).title for step in self.steps for name in step.outputs if name}

    def example_inputs(self, layouts: Mapping[str, str]) -> dict[str, Tensor]:
        """An example of each input, by name, the batch where its layout has it.

        Raises:
            InputError: The file does not say what is needed.
        """
        axes = {fact.name: written_axis(layouts.get(fact.name), len(fact.shape or ())) for fact in self.inputs}
        return {fact.name: example(fact, axes[fact.name]) for fact in self.inputs}
