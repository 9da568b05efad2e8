"""The model that a command is about, and inputs for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fgcompile.artifact.metadata import Metadata

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram

    from fgcompile.artifact.validation import Array
    from fgcompile.cli.presets.preset import Preset
    from fgcompile.cli.source_names import SourceName

_VERIFIED_INPUTS = 4


def seeded_model(
    source: str,
    weights: Path | None,
    output: str | int | None = None,
    fixed: Mapping[str, float] | None = None,
    others: bool = False,
) -> nn.Module | ExportedProgram:
    """The model; without weights its random ones are the same every time, so that `verify` sees what was compiled.

    Of an ``.onnx`` file ``output`` is the tensor that is explained, ``fixed`` are its inputs that are
    constants, and ``others`` asks for its other outputs too.
    """
    import torch

    from fgcompile.cli.sources import load_source

    torch.manual_seed(0)
    return load_source(source, weights, output, fixed, others)


def preset_of(source: SourceName, weights: Path | None, model: object, bare: bool) -> Preset | None:
    """What a source says of its pictures; its classes' names go with the model, which takes them where they fit it.

    With ``bare`` nothing, nor are the names taken that the model brings itself.
    """
    from fgcompile.cli.presets import read_preset
    from fgcompile.compiler.sources import OWN_LABELS

    preset = None if bare else read_preset(source.text, source.arguments, weights, model)
    if bare and source.is_file:
        if getattr(model, "labels", None) is not None:
            model.labels = None  # type: ignore[attr-defined]  # of an ONNX file
    elif bare:
        setattr(model, OWN_LABELS, ())
    elif preset is not None and preset.labels is not None:
        setattr(model, OWN_LABELS, preset.labels)
    return preset


def noise(metadata: Metadata) -> list[Array]:
    """A few inputs that an artifact takes, in its order; token ids are of the whole table, where its size is known."""
    from fgcompile.artifact.sample_inputs import make_noise
    from fgcompile.artifact.validation import input_specs

    made = make_noise(metadata, _VERIFIED_INPUTS)
    for spec in input_specs(metadata):
        tables = [(table["size"], table.get("offset", 0)) for table in spec.get("indexes", [])]
        ranges = [(-offset, size - offset) for size, offset in tables if not isinstance(size, str)]
        if ranges and len(ranges) == len(tables):
            made[spec["name"]] = _tokens(made[spec["name"]], max(map(min, ranges)), min(map(max, ranges)))
    return list(made.values())


def _tokens(like: Array, first: int, end: int) -> Array:
    """Whole numbers from the first to the one before the end, the same every time."""
    import numpy as np

    return np.random.default_rng(0).integers(first, max(end, first + 1), like.shape).astype(like.dtype)
