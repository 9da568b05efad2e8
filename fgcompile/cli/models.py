"""The model that a command is about, and inputs for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fgcompile.artifact.metadata import Metadata
from fgcompile.cli.arguments import DEFAULT_INPUT, parse_input
from fgcompile.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

    from fgcompile.artifact.validation import Array

_VERIFIED_INPUTS = 4


def seeded_model(source: str, weights: Path | None) -> nn.Module | ExportedProgram:
    """The model; without weights its random ones are the same every time, so that `verify` sees what was compiled."""
    import torch

    from fgcompile.cli.sources import load_source

    torch.manual_seed(0)
    return load_source(source, weights)


def example_inputs(
    model: nn.Module | ExportedProgram, shapes: Sequence[tuple[tuple[int, ...], str]]
) -> tuple[Tensor, ...]:
    """Noise, or ones for integers, the same every time; an exported program brings its own example."""
    import torch
    from torch.export import ExportedProgram

    if not shapes and isinstance(model, ExportedProgram) and model.example_inputs is not None:
        return tuple(model.example_inputs[0])
    generator = torch.Generator().manual_seed(0)
    return tuple(
        torch.randn(2, *sizes, generator=generator)
        if dtype == "float32"
        else torch.ones((2, *sizes), dtype=torch.int64)
        for sizes, dtype in shapes or [parse_input(DEFAULT_INPUT)]
    )


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
