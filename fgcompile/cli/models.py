"""The model that a command is about, and inputs for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fgcompile.artifact.metadata import Metadata
from fgcompile.errors import InputError

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram

    from fgcompile.artifact.validation import Array

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


def noise(metadata: Metadata) -> list[Array]:
    """A few inputs that an artifact takes, in its order; only numbers of images and signals can be made up."""
    from fgcompile.artifact.sample_inputs import make_noise
    from fgcompile.artifact.validation import input_specs

    for spec in input_specs(metadata):
        if spec["dtype"] != "uint8" and not spec["dtype"].startswith("float"):
            raise InputError(
                f"cannot make up values for input {spec['name']} ({spec['dtype']}): call fgcompile.verify in Python"
            )
    return list(make_noise(metadata, _VERIFIED_INPUTS).values())
