"""Whether OpenVINO computes of an artifact what ONNX Runtime does, where that is installed too.

Its transformations join operators, and now and then a result is another. A wrong map is no error that anybody would
see, so that one call is compared before the first is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from fgcompile.artifact.metadata import Metadata, fixed_batch
from fgcompile.artifact.names import TARGET, is_predicted
from fgcompile.artifact.sample_inputs import make_feeds
from fgcompile.artifact.validation import Array
from fgcompile.errors import ArtifactError

LIMIT = 0.05
"""How far apart predictions and maps may be, relative to the largest.

Gradients and contributions are not compared: rounding turns a ReLU or two, which a map hardly shows, and they by more
than a third of their largest (an EfficientNet of random weights).
"""

SALIENCY = "saliency"
SAMPLES = 2


Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]
"""A call: outputs by name, of inputs by name."""


@dataclass(frozen=True)
class Agreement:
    """What ONNX Runtime computes of an artifact, to hold OpenVINO to; nothing where it is not installed.

    Both compute in float32: half precision is further apart than a limit that would find anything.

    Attributes:
        content: The artifact's bytes.
        metadata: What it says of itself.
        folder: Where its weights lie beside it, if not in it.
    """

    content: bytes
    metadata: Metadata
    folder: Path | None

    def require(self, run: Run, feeds: Mapping[str, Array]) -> None:
        """Passes a call that returns of these inputs what ONNX Runtime returns, each sample's first target asked for.

        Raises:
            ArtifactError: It returns something else.
        """
        if find_spec("onnxruntime") is None:
            return
        from fgcompile.runtime.onnxruntime import OnnxRuntimeBackend

        feeds = dict(feeds)
        if TARGET in feeds:
            feeds[TARGET] = np.zeros_like(feeds[TARGET])  # of two that are equally large, each may take another
        runtime = OnnxRuntimeBackend(self.content, self.metadata, ["CPUExecutionProvider"], 1, self.folder)
        if difference := find_difference(run(feeds), runtime.run(feeds)):
            name, apart = difference
            raise ArtifactError(
                f"OpenVINO computes another {name} of this artifact than ONNX Runtime, {apart:.1g} of the largest "
                "apart: run it in ONNX Runtime, or with another version of OpenVINO"
            )


def make_example(metadata: Metadata) -> dict[str, Array]:
    """Inputs to compare with, of the sizes that the model was compiled with."""
    return make_feeds(metadata, fixed_batch(metadata) or SAMPLES)


def find_difference(found: Mapping[str, Array], expected: Mapping[str, Array]) -> tuple[str, float] | None:
    """The first prediction or map further than ``LIMIT`` from what it should be, and how far; None if none is."""
    for name, value in found.items():
        compared = is_predicted(name) or name.partition(".")[0] == SALIENCY
        if compared and name in expected and (apart := _apart(value, expected[name])) > LIMIT:
            return name, apart
    return None


def _apart(found: Array, expected: Array) -> float:
    if found.shape != expected.shape:
        return float("inf")
    size = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        apart = np.abs(found.astype(np.float64) - expected)
    return float(apart[np.isfinite(apart)].max(initial=0.0) / max(size, np.finfo(np.float32).tiny))
