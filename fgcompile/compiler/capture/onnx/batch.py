"""A file that says a batch of one takes any: where a shape or a constant has the batch's size, it follows the batch.

A file is run at its own batch on two examples, then at twice that on both of them; one that says any batch, and takes
only one, has that. Each node must then give the one after the other, along some axis; where it does not as it is, what
it was given is changed in each of a few ways

    Reshape, Expand, Resize to (1, 3, …)     →  (n, 3, …)
    Slice from (0, 0, …) up to (1, 3, …)     →  up to (n, 3, …)
    Concat, LSTM … with a constant (1, …)    →  repeated n times
    GatherND at a constant ((0, i), …)       →  at ((0, i), …), ((1, i), …), …

until it does. The first node of which none of them does is named. So nothing is guessed: that the samples are apart is
seen of every value there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fgcompile.artifact.layouts import written_axis
from fgcompile.compiler.capture.onnx.changes import Change, possible_changes
from fgcompile.compiler.capture.onnx.facts import examples_at
from fgcompile.compiler.capture.onnx.graph import Step
from fgcompile.compiler.capture.onnx.model import SAMPLES, OnnxModel
from fgcompile.compiler.capture.onnx.node import OnnxNode
from fgcompile.compiler.capture.onnx.values import Value
from fgcompile.compiler.ir.fixed_batch import ALONE, FixedBatchError
from fgcompile.compiler.ir.memory import is_out_of_memory
from fgcompile.errors import CaptureError, FgcompileError, InputError, first_line

CLOSE = 1e-4
"""How far two runs may be apart, relative to the largest number: kernels add up in another order."""

Values = dict[str, Value]
_Way = tuple[Change | None, Sequence[Value], dict[str, int | None]]

SAME = -1
"""The axis of the samples in a value that is the same for all of them."""

BETWEEN = -2
"""That of samples which lie between each other within an axis, as in (l n) c."""


def follow_batch(model: OnnxModel, examples: Mapping[str, Tensor], layouts: Mapping[str, str]) -> None:
    """Makes a model take any batch, where its file says one.

    Args:
        model: The model; its nodes are changed where they have to be.
        examples: Of all inputs by name, at any batch; their shapes, and the values of integers.
        layouts: Where inputs have their batch, if it is not in front.

    Raises:
        CaptureError: A node fixes the batch; names it. A ``FixedBatchError`` where it is fixed at one sample.
    """
    facts = {fact.name: fact for fact in model.inputs}
    model.batch_axes = tuple(written_axis(layouts.get(name), examples[name].ndim) for name in model.input_names)
    axes = dict(zip(model.input_names, model.batch_axes, strict=True))
    sizes = {shape[axes[name]] for name in axes if (shape := facts[name].shape) and len(shape) > axes[name]}
    written = {size for size in sizes if isinstance(size, int)}
    if not written:
        alone, several = (examples_at(count, examples, axes, count, model.of_bytes) for count in (1, 2))
        if _runs(model, several):
            return
        if not _runs(model, alone):
            _recorded(model, alone)  # names the node
            return
        written = {1}
    if len(written) > 1:
        raise CaptureError(f"the inputs of {model.source_name} have batches of {sorted(written)}: give their --layout")
    (batch,) = written
    _free_batch(model, [examples_at(batch, examples, axes, seed, model.of_bytes) for seed in (1, 2)])
    model.file_batch = batch


def _runs(model: OnnxModel, example: Mapping[str, Tensor]) -> bool:
    """Whether a model takes an example as its file has it."""
    try:
        with torch.no_grad():
            model(**example)
    except Exception as error:  # whatever PyTorch raises of shapes that do not fit
        if is_out_of_memory(error):
            raise
        return False
    return True


def _free_batch(model: OnnxModel, examples: Sequence[Mapping[str, Tensor]]) -> None:
    """Changes nodes until twice the batch gives what two examples of it give."""
    batch = examples[0][model.input_names[0]].shape[model.batch_axes[0]]
    first, second = (_recorded(model, example) for example in examples)
    joined: Values = {}
    for name, axis in zip(model.input_names, model.batch_axes, strict=True):
        joined[name] = torch.cat([example[name] for example in examples], axis)
    search = _Search(model, batch, first, second)
    for _ in range(_TRIES):
        if search.succeeds(dict(joined)):
            model.sample_axes = search.axes
            return
        if not search.turn_back():
            break
    # Of one sample there is a graph as the file has it.
    alone = batch == ALONE and not any(model.batch_axes)
    raise (FixedBatchError if alone else CaptureError)(
        f"{search.doubted} of {model.source_name} fixes the batch at {batch}{_taken_for(model, batch)}: export the "
        "model with a dynamic batch (dynamic_shapes of torch.onnx.export), or explain a tensor in front of it, "
        f"--explained NAME, or {'' if alone else 'export it with a batch of 1 and '}compile it for one sample a call, "
        "batch=1"
    )


def _taken_for(model: OnnxModel, batch: int) -> str:
    """What is added where an axis may be taken for the batch that is none."""
    if batch == 1 or any(model.batch_axes):
        return ""
    return f" (the first axis of '{model.input_names[0]}'; if another is the batch, give its --layout)"


def _recorded(model: OnnxModel, example: Mapping[str, Tensor]) -> Values:
    """All values of a run.

    Raises:
        InputError: A node does not take what it gets.
    """
    values: Values = dict(example)

    def compute(step: Step, child: nn.Module, given: list[Value]) -> Sequence[Value]:
        try:
            with torch.no_grad():
                results: Sequence[Value] = child(*given)
        except FgcompileError:
            raise
        except Exception as error:  # whatever PyTorch raises of examples that do not fit
            title = getattr(child, "title", step.child)
            raise InputError(
                f"{title} of {model.source_name} does not take what it gets of the examples: {first_line(error)}; give "
                "each input's sizes, --input, and where its batch is, --layout; or export it again, if they are these"
            ) from error
        values.update(zip(step.outputs, results, strict=False))
        return results

    model.run(dict(example), compute)
    return values


class _Search:
    """Node by node, the change that makes it give one sample after the other; where it does not go on, back again."""

    def __init__(self, model: OnnxModel, batch: int, first: Values, second: Values) -> None:
        self.model, self.batch, self.first, self.second = model, batch, first, second
        self.axes: dict[str, int] = {}
        self.doubted: str | None = None
        # Of nodes that can be changed in several ways, in order: which one is taken, of how many.
        self.turns: dict[str, tuple[int, int]] = {}

    def succeeds(self, joined: Values) -> bool:
        """Whether the outputs have one sample after the other, as nodes are changed now."""
        self.axes = dict(zip(self.model.input_names, self.model.batch_axes, strict=True))
        self.model.unchange()
        try:
            results = self.model.run(joined, self.compute)
        except _NoWayError:
            return False
        names = self.model.output_names
        return all(self._is_apart(name, self.axis(name, value)) for name, value in zip(names, results, strict=True))

    def _is_apart(self, name: str, axis: int | None) -> bool:
        """Whether an output has its samples on an axis of their own, or in front: (1, c) is not to become (1, n c)."""
        one = self.first.get(name)
        return axis in (0, SAME) or (axis is not None and isinstance(one, Tensor) and one.shape[axis] == self.batch)

    def turn_back(self) -> bool:
        """Takes another way at the last node that has one."""
        while self.turns:
            child, (taken, count) = self.turns.popitem()
            if taken + 1 < count:
                self.turns[child] = (taken + 1, count)
                return True
        return False

    def compute(self, step: Step, child: Any, given: list[Value]) -> Sequence[Value]:
        """A node's results at twice the batch; it keeps the change that gave them."""
        results = self._tried(child, given, None)
        axes = self._axes(step, results)
        source = next((self.axes[name] for name in step.inputs if name in self.axes), 0)
        if results is None or not (source in axes.values() or set(axes.values()) == {SAME}):
            ways = self._ways(step, child, given, source)
            if not ways or any(None in way[2].values() for way in ways[:1]):
                self.doubted = self.doubted or child.title
            if not ways:
                raise _NoWayError
            taken, _ = self.turns.setdefault(step.child, (0, len(ways)))
            change, results, axes = ways[taken]
            if change is not None:
                child.change = change
                step.inputs = (*step.inputs, SAMPLES)
        self.axes.update((name, axis) for name, axis in axes.items() if axis is not None and axis >= 0)
        return results

    def _ways(self, step: Step, child: Any, given: list[Value], source: int) -> list[_Way]:
        """What a node gives as it is and changed, in the order of how well the samples are apart in it."""
        ways = []
        for change in self._changes(step, child, given):
            results = self._tried(child, given, change)
            if results is not None:
                ways.append((change, results, self._axes(step, results)))

        def doubt(way: _Way) -> int:
            # (1, 2 c) has the samples one after the other as (2, c) has: where they were before is preferred. They may
            # also lie between each other, or otherwise, which shows where they are apart again.
            found = way[2].values()
            return 0 if source in found else 3 if None in found else 2 if BETWEEN in found else 1

        kept = [way for way in ways if doubt(way) < 3 or way[0] is None]  # a wrong change mixes them as well
        return sorted(kept, key=doubt)

    def _axes(self, step: Step, results: Sequence[Value] | None) -> dict[str, int | None]:
        return {name: self.axis(name, value) for name, value in zip(step.outputs, results or (), strict=False) if name}

    def axis(self, name: str, value: Value) -> int | None:
        """Along which axis a value holds one sample after the other, ``SAME`` or ``BETWEEN``; None if it does not.

        Of numbers that are known it is not asked.
        """
        one, other = self.first.get(name), self.second.get(name)
        if not (isinstance(value, Tensor) and isinstance(one, Tensor) and isinstance(other, Tensor)):
            return SAME
        if value.shape == one.shape:
            return SAME if _close(one, other) and _close(value, one) else None
        if value.ndim != one.ndim or value.numel() != 2 * one.numel():
            return None
        doubled = [axis for axis in range(one.ndim) if value.shape[axis] == 2 * one.shape[axis]]
        apart = next((axis for axis in doubled if _close(value, torch.cat([one, other], axis))), None)
        if apart is None and any(_lies_between(value, one, other, axis) for axis in doubled):
            return BETWEEN
        return apart

    def _changes(self, step: Step, child: Any, given: Sequence[Value]) -> Iterator[Change | None]:
        yield None
        if not isinstance(child, OnnxNode):
            return
        values = child.filled(given)
        settled = {at for at in range(len(values)) if self._is_settled(at, step, child)}
        yield from possible_changes(child.operator_name, values, settled, self.batch)

    def _is_settled(self, index: int, step: Step, child: OnnxNode) -> bool:
        """Whether an input is the same for all samples."""
        name = step.inputs[index]
        if index in child.constants() or name is None:
            return index in child.constants()
        one, other = self.first.get(name), self.second.get(name)
        return isinstance(one, Tensor) and isinstance(other, Tensor) and _close(one, other)

    def _tried(self, child: Any, given: list[Value], change: Change | None) -> Sequence[Value] | None:
        values = given if change is None else [*given, 2 * self.batch]
        try:
            with torch.no_grad():
                if change is not None:
                    child.change = change
                results: Sequence[Value] = child(*values)
                return results
        except Exception as error:  # whatever PyTorch raises of shapes that do not fit
            if is_out_of_memory(error):
                raise
            return None
        finally:
            if change is not None:
                child.change = None


def _lies_between(value: Tensor, one: Tensor, other: Tensor, axis: int) -> bool:
    """Whether an axis holds a part of the one, a part of the other, the next part of the one, and so on."""
    size = one.shape[axis]
    for parts in (count for count in range(2, size + 1) if size % count == 0):
        shape = (*one.shape[:axis], parts, size // parts, *one.shape[axis + 1 :])
        split = [each.reshape(shape) for each in (one, other)]
        if _close(value, torch.cat(split, axis + 1).flatten(axis, axis + 1)):
            return True
    return False


class _NoWayError(Exception):
    """A node takes no other batch."""


_TRIES = 64
"""How often the graph is run, at most."""


def _close(value: Tensor, other: Tensor) -> bool:
    if value.shape != other.shape:
        return False
    if not value.is_floating_point():
        return bool(torch.equal(value, other))
    size = other.abs().nan_to_num(0, 0, 0).amax() if other.numel() else torch.zeros(())
    return bool(torch.allclose(value, other, rtol=0, atol=float(size) * CLOSE, equal_nan=True))
