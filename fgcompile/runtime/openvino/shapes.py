"""Graphs compiled for the shapes that are asked for often, beside the one that takes any.

OpenVINO plans memory, layouts and kernels when it compiles, of sizes that are numbers: a graph of a fixed batch is
faster than one of any (``docs/decisions/openvino.md``).
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import openvino  # type: ignore[import-untyped]  # ships no marker of its types

from fgcompile.artifact.validation import Array
from fgcompile.runtime.openvino.agreement import Run, find_difference

LOGGER = logging.getLogger("fgcompile.openvino")

OFTEN = 2
"""The call of a shape in which it gets a graph of its own."""

MOST = 2
"""How many shapes do: each holds weights as it lays them out, and takes the time of loading the artifact once more."""

KEPT = 8
"""How many are kept where no graph takes any shape, those that were asked for last."""

Shapes = tuple[tuple[str, tuple[int, ...]], ...]
Check = Callable[[Run, Mapping[str, Array]], None]
"""What passes a call on inputs, or raises."""


@dataclass(frozen=True)
class Compiler:
    """A model, and how graphs are made of it.

    Attributes:
        model: The model.
        outputs: The names of the outputs that are wanted.
        compile: Compiles one.
    """

    model: openvino.Model
    outputs: Sequence[str]
    compile: Callable[[openvino.Model], openvino.CompiledModel]

    @property
    def is_open(self) -> bool:
        """Whether a size of an input is open."""
        return any(port.get_partial_shape().is_dynamic for port in self.model.inputs)

    def general(self) -> Graph:
        """The graph of any shapes."""
        return Graph(self.compile(self.model), self.outputs)

    def of(self, shapes: Shapes) -> Graph:
        """The graph of these shapes alone."""
        model = self.model.clone()
        model.reshape({name: openvino.PartialShape(list(shape)) for name, shape in shapes})
        return Graph(self.compile(model), self.outputs)


class ByShape:
    """A model, compiled for any shapes of its inputs and for some of them; called from several threads.

    Attributes:
        general: The graph of any shapes.
    """

    def __init__(self, compiler: Compiler, often: bool) -> None:
        """Compiles it for any shape.

        Args:
            compiler: Makes the graphs.
            often: Whether shapes that are asked for often get graphs of their own.
        """
        self._compiler, self.general = compiler, compiler.general()
        self._own: dict[Shapes, Graph] = {}
        self._asked: Counter[Shapes] = Counter()
        self._compiling = threading.Lock()
        self._most = MOST if often and compiler.is_open else 0

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name."""
        shapes = shapes_of(feeds)
        if own := self._own.get(shapes):
            return own.run(feeds)
        outputs = self.general.run(feeds)
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
        self._most -= 1
        try:
            graph = self._compiler.of(shapes)
            found = graph.run(feeds)
        except Exception:  # OpenVINO's own are RuntimeErrors and more; the graph of any shape has answered
            LOGGER.warning("OpenVINO makes no graph of %s alone", dict(shapes), exc_info=True)
        else:
            if find_difference(found, expected) is None:
                self._own[shapes] = graph
        if not self._most:
            self._asked.clear()


class EachShape:
    """A model that is compiled for each shape of its inputs, and for none in general; called from several threads.

    Where height and width are open, OpenVINO (2026.4) takes sizes of the call before for those of a call, and returns
    maps of another size, or ends the process.
    """

    def __init__(self, compiler: Compiler, check: Check) -> None:
        """Compiles nothing yet.

        Args:
            compiler: Makes the graphs.
            check: Passes the graph of a shape before it is used.
        """
        self._compiler, self._check = compiler, check
        self._graphs: OrderedDict[Shapes, Graph] = OrderedDict()
        self._lock = threading.Lock()

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name.

        Raises:
            ArtifactError: The graph of this shape does not pass.
        """
        shapes = shapes_of(feeds)
        with self._lock:
            graph = self._graphs.get(shapes) or self._new(shapes, feeds)
            self._graphs[shapes] = graph
            self._graphs.move_to_end(shapes)
            if len(self._graphs) > KEPT:
                self._graphs.popitem(last=False)
        return graph.run(feeds)

    def _new(self, shapes: Shapes, feeds: Mapping[str, Array]) -> Graph:
        graph = self._compiler.of(shapes)
        self._check(graph.run, feeds)
        return graph


def shapes_of(feeds: Mapping[str, Array]) -> Shapes:
    """The shapes by name, in the names' order."""
    return tuple(sorted((name, tuple(value.shape)) for name, value in feeds.items()))


class Graph:
    """A compiled model and its requests, each of which holds the memory of a call and is kept for the next."""

    def __init__(self, compiled: openvino.CompiledModel, outputs: Sequence[str]) -> None:
        self.compiled, self._outputs = compiled, outputs
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
            return self.compiled.create_infer_request()
