"""Made-up inputs for an artifact, the same every time."""

from __future__ import annotations

import numpy as np

from fgcompile.artifact.metadata import Metadata, TensorSpec, batch_axis
from fgcompile.artifact.names import EXPLAIN, TARGET
from fgcompile.artifact.questions import predicted_targets
from fgcompile.artifact.validation import Array, input_specs

_SEED = 0


def make_noise(metadata: Metadata, batch: int) -> dict[str, Array]:
    """Values for each of the model's and the score's inputs, by name, at the sizes that the model was compiled with.

    Any bytes for photos, normally distributed floats, and ones for other integers and for booleans: a class, a token
    and a mask that every model takes.

    Args:
        metadata: The artifact's.
        batch: N.
    """
    random = np.random.default_rng(_SEED)
    return {spec["name"]: _values(spec, batch, random) for spec in input_specs(metadata)}


def make_feeds(metadata: Metadata, batch: int) -> dict[str, Array]:
    """The same with all that the artifact itself takes: each sample's predicted class is asked for, and to explain."""
    feeds = make_noise(metadata, batch)
    if metadata["target"] == "input":
        feeds[TARGET] = predicted_targets(metadata, batch)
    if metadata.get("on_demand"):
        feeds[EXPLAIN] = np.array(True)
    return feeds


def _values(spec: TensorSpec, batch: int, random: np.random.Generator) -> Array:
    sizes = spec.get("example", spec["shape"])
    shape = tuple(batch if axis == batch_axis(spec) else int(size) for axis, size in enumerate(sizes))
    dtype = np.dtype(spec["dtype"])
    if dtype == np.uint8:
        return random.integers(0, 256, shape, dtype=np.uint8)
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    value = 1
    for axis in spec.get("indexes", []):  # of one place 0 is the only index
        offset = axis.get("offset", 0)
        value = max(value if isinstance(axis["size"], str) else min(value, axis["size"] - 1 - offset), -offset)
    return np.full(shape, value, dtype)
