"""Any number of samples for a program that takes one number of them: part after part, the last one filled up.

    N = 2, five samples:    x[0:2], x[2:4], (x[4], x[4])    →    the outputs one after the other, but the last's second

Samples are apart, as compiling has checked, so that what stands beside one changes nothing of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fgcompile.artifact.metadata import BATCH, Metadata, TensorSpec, fixed_batch
from fgcompile.artifact.validation import Array

Run = Callable[[Mapping[str, Array]], dict[str, Array]]


def run_in_parts(run: Run, feeds: Mapping[str, Array], metadata: Metadata) -> dict[str, Array]:
    """The outputs for any number of samples; those of one call where the program takes any itself.

    Args:
        run: One call of the program.
        feeds: All inputs by name; what has no batch, as ``explain`` and bias parameters, goes to every call.
        metadata: The artifact's.
    """
    step = fixed_batch(metadata)
    axes = _axes(metadata["inputs"])
    count = next((value.shape[axes[name]] for name, value in feeds.items() if name in axes), step)
    if step is None or count in (None, step):
        return run(feeds)
    parts = []
    for start in range(0, count, step):
        samples = np.minimum(np.arange(start, start + step), count - 1)
        parts.append(run({name: _taken(value, samples, axes.get(name)) for name, value in feeds.items()}))
    own = _axes(metadata["outputs"])
    return {name: _joined([part[name] for part in parts], own.get(name), count) for name in parts[0]}


def _axes(specs: list[TensorSpec]) -> dict[str, int]:
    """Where tensors have their samples, of those that have."""
    return {spec["name"]: spec["shape"].index(BATCH) for spec in specs if BATCH in spec["shape"]}


def _taken(value: Array, samples: Array, axis: int | None) -> Array:
    return value if axis is None else np.ascontiguousarray(value.take(samples, axis))


def _joined(parts: list[Array], axis: int | None, count: int) -> Array:
    """One part after the other, without what filled the last; an output that is empty on demand has no samples."""
    if axis is None:
        return parts[0]
    joined = np.concatenate(parts, axis)
    return np.ascontiguousarray(joined.take(np.arange(min(count, joined.shape[axis])), axis))
