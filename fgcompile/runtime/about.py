"""What an explanation is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fgcompile.artifact.metadata import BATCH, Metadata, TensorSpec, batch_axis
from fgcompile.artifact.validation import Array, input_specs


@dataclass(frozen=True, eq=False)
class About:
    """What an explanation is of: what pictures and words of it need beside its numbers.

    Attributes:
        inputs: The arrays that were given, by name: these themselves, not copies. Who changes one in place, changes
            what is drawn.
        metadata: The artifact's.
        files: Where each sample was read from, None for one that was not; empty where none was.
    """

    inputs: Mapping[str, Array]
    metadata: Metadata
    files: tuple[Path | None, ...] = ()

    def __repr__(self) -> str:
        return f"About({self.metadata['model']['name']}: {', '.join(self.inputs)})"

    def take(self, index: slice) -> About:
        """Of some of the samples."""
        specs = {spec["name"]: spec for spec in self.metadata["inputs"]}
        inputs = {name: along_batch(array, index, specs.get(name)) for name, array in self.inputs.items()}
        return About(inputs, self.metadata, self.files[index])

    def sample(self, name: str) -> Array:
        """The first sample of an input, without the batch."""
        spec = next(spec for spec in input_specs(self.metadata) if spec["name"] == name)
        return np.asarray(self.inputs[name].take(0, batch_axis(spec)))


def along_batch(array: Any, index: slice, spec: TensorSpec | None) -> Any:
    """Some of an array's samples, as a view; what has no batch stays whole."""
    if spec is None:
        return array[index]
    return array[(slice(None),) * batch_axis(spec) + (index,)] if BATCH in spec["shape"] else array
