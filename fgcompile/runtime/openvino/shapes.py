"""Graphs compiled for the shapes that are asked for often, beside the one that takes any.

OpenVINO plans memory, layouts and kernels when it compiles, of sizes that are numbers: a graph of a fixed batch is
faster than one of any (``docs/decisions/openvino.md``).
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import openvino  # type: ignore[import-untyped]  # ships no marker of its types

from fgcompile.artifact.validation import Array
from fgcompile.runtime.openvino.agreement import find_difference

OFTEN = 2
"""The call of a shape in which it gets a graph of its own."""

MOST = 2
"""How many shapes do: each holds weights as it lays them out, and takes the time of loading the artifact once more."""

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


class ByShape:
    """A model, compiled for any shapes of its inputs and for some of them; called from several threads.

    Attributes:
        compiled: The one for any.
    """

    def __init__(
        self,
        model: openvino.Model,
        outputs: Sequence[str],
        compile: Callable[[openvino.Model], openvino.CompiledModel],
    ) -> None:
        """Compiles it for any shape.

        Args:
            model: The model, which is kept.
            outputs: The names of the outputs that are wanted.
            compile: Compiles one.
        """
        self._model, self._outputs, self._compile = model, outputs, compile
        self.compiled = compile(model)
        self._general = _Graph(self.compiled, outputs)
        self._own: dict[Shapes, _Graph] = {}
        self._asked: Counter[Shapes] = Counter()
        self._compiling = threading.Lock()
        self._most = 0

    def specialise(self) -> None:
        """From now on the shapes that are asked for often get graphs of their own."""
        if any(port.get_partial_shape().is_dynamic for port in self._model.inputs):
            self._most = MOST

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name."""
        shapes = tuple(sorted((name, tuple(value.shape)) for name, value in feeds.items()))
        if own := self._own.get(shapes):
            return own.run(feeds)
        outputs = self._general.run(feeds)
        if self._most and self._compiling.acquire(blocking=False):
            try:
                self._consider(shapes, feeds, outputs)
            finally:
                self._compiling.release()
        return outputs

    def _consider(self, shapes: Shapes, feeds: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
        """Compiles a graph for these shapes if they are asked for often, and keeps it if it computes the same."""
        self._asked[shapes] += 1
        if self._asked[shapes] != OFTEN:
            return
        model = self._model.clone()
        model.reshape({name: openvino.PartialShape(list(shape)) for name, shape in shapes})
        graph = _Graph(self._compile(model), self._outputs)
        self._most -= 1
        if find_difference(graph.run(feeds), expected) is None:
            self._own[shapes] = graph
        if not self._most:
            self._asked.clear()


class _Graph:
    """A compiled model and its requests, each of which holds the memory of a call and is kept for the next."""

    def __init__(self, compiled: openvino.CompiledModel, outputs: Sequence[str]) -> None:
        self._compiled, self._outputs = compiled, outputs
        self._idle: queue.SimpleQueue[openvino.InferRequest] = queue.SimpleQueue()

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        request = self._request()
        results = request.infer(dict(feeds), share_inputs=True)
        outputs = {name: results[name] for name in self._outputs}
        self._idle.put(request)
        return outputs

    def _request(self) -> openvino.InferRequest:
        """A request that nobody uses."""
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return self._compiled.create_infer_request()
