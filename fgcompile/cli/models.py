"""The model that a command is about, and inputs for it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, cast
from unittest import mock

from fgcompile.artifact.metadata import Metadata
from fgcompile.cli.source_names import LIBRARIES
from fgcompile.errors import SourceError

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

    from fgcompile.artifact.validation import Array
    from fgcompile.cli.presets.preset import Preset
    from fgcompile.cli.source_names import SourceName

_SEED = 0
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

    torch.manual_seed(_SEED)
    return load_source(source, weights, output, fixed, others)


def random_weights(
    source: SourceName, weights: Path | None, model: nn.Module | ExportedProgram
) -> bool | tuple[str, ...]:
    """Whether a model's weights are drawn, for lack of trained ones, or which; to be asked as soon as it is built.

    A module of the user's may draw them first and load others then, so it is built once more with another seed, if it
    drew anything: what is random is not the same then. What it makes but once, or draws by NumPy, is not told.
    """
    import torch

    if source.is_random(weights):
        return True
    if weights is not None or source.is_file or source.scheme in LIBRARIES:
        return False
    if torch.equal(torch.get_rng_state(), torch.Generator().manual_seed(_SEED).get_state()):
        return False
    return _different(dict(model.named_parameters()), dict(_built_again(source).named_parameters()))


def _built_again(source: SourceName) -> nn.Module:
    """The model with another seed, without what its code prints; an empty one where that builds it but once."""
    import torch

    from fgcompile.cli.sources import load_source

    torch.manual_seed(_SEED + 1)
    seed = mock.Mock(return_value=torch.default_generator)  # in the user's code
    seeds = mock.patch("torch.manual_seed", seed), mock.patch("torch.random.manual_seed", seed)
    with (
        seeds[0],
        seeds[1],
        redirect_stdout(io.StringIO()),
        redirect_stderr(io.StringIO()),
        warnings.catch_warnings(action="ignore"),
    ):
        try:
            return cast("nn.Module", load_source(source.text))
        except SourceError:
            return torch.nn.Module()


def _different(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The tensors of both that have other values."""
    common = [name for name in one if name in other and one[name].shape == other[name].shape]
    return tuple(name for name in common if not one[name].equal(other[name]))


def preset_of(source: SourceName, weights: Path | None, model: object, bare: bool) -> Preset | None:
    """What a source says of its pictures; its classes' names go with the model, which takes them where they fit it.

    With ``bare`` nothing, nor are the names taken that the model brings itself.
    """
    from fgcompile.cli.presets import read_preset
    from fgcompile.compiler.sources import OWN_LABELS

    preset = None if bare else read_preset(source.text, source.arguments, weights, model)
    if bare and source.is_file:
        for name in ("labels", "labels_problem"):  # of an ONNX file
            if getattr(model, name, None) is not None:
                setattr(model, name, None)
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
