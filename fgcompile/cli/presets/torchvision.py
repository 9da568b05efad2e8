"""torchvision: ``weights.transforms()`` and ``weights.meta["categories"]``.

Which weights a file holds says its SHA-256. Of a file that is none of torchvision's own, such as one that was trained
further, what all weights of the architecture agree in is taken, and what they differ in is named.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fgcompile.artifact.fitting import Fit
from fgcompile.cli.presets.preset import Preset, is_file_of

_OPEN = {
    "fit": ("how pictures are resized and cropped", "--resize"),
    "shape": ("the size of pictures", "--input"),
    "mean": ("the normalisation", "--mean and --std"),
    "labels": ("the classes' names", "--labels"),
}
"""What weights of one architecture may differ in, and the option that says it."""


def read_torchvision(name: str, arguments: Mapping[str, Any], weights: Path | None, model: Any) -> Preset | None:
    """The preset of an architecture's weights; none of a part of a model, or of random weights."""
    named = arguments.get("weights")
    if "." in name or (weights is None and named is None):
        return None
    models: Any = importlib.import_module("torchvision.models")
    known = models.get_model_weights(name)
    if weights is None:
        member = named if isinstance(named, known) else known[str(named).rpartition(".")[2]]
        return preset_of(member, f"torchvision's {member}")
    for member in known:
        if is_file_of(weights, member.url):
            return preset_of(member, f"torchvision's {member}, by the file's SHA-256")
    return agreed([preset_of(member, str(member)) for member in known], f"torchvision's {known.__name__}")


def preset_of(member: Any, origin: str) -> Preset:
    """What one entry of an enumeration of weights says."""
    transform, labels = member.transforms(), member.meta.get("categories")
    found = Preset(origin, labels=None if labels is None else tuple(labels))
    reader = _READERS.get(type(transform).__name__)
    if reader is None:
        return replace(found, left_out=(f"the transform {type(transform).__name__}, which is not one of pictures",))
    return reader(transform, replace(found, mean=tuple(transform.mean), std=tuple(transform.std)))


def _classification(transform: Any, found: Preset) -> Preset:
    resize, crop = _pair(transform.resize_size), _pair(transform.crop_size)
    fit = Fit("crop", resize, transform.interpolation.value)
    return replace(found, shape=(len(found.mean or ()), *crop), fit=fit)


def _segmentation(transform: Any, found: Preset) -> Preset:
    if transform.resize_size is None:
        return found
    size = _pair(transform.resize_size)
    left = ("that pictures are not cropped, which gives each its own size: their central square is taken",)
    fit = Fit("crop", size, transform.interpolation.value)
    return replace(found, shape=(len(found.mean or ()), *size), fit=fit, left_out=left)


_READERS: dict[str, Callable[[Any, Preset], Preset]] = {
    "ImageClassification": _classification,
    "SemanticSegmentation": _segmentation,
}


def agreed(presets: Sequence[Preset], origin: str) -> Preset | None:
    """What all of them say."""
    if not presets:
        return None
    common: dict[str, Any] = {
        field: getattr(presets[0], field)
        if all(getattr(each, field) == getattr(presets[0], field) for each in presets)
        else None
        for field in ("mean", "std", "shape", "fit", "labels")
    }
    names = ", ".join(each.origin.rpartition(".")[2] for each in presets)
    left = [
        f"{what}, in which {names} differ: {option} says it"
        for field, (what, option) in _OPEN.items()
        if common[field] is None and any(getattr(each, field) is not None for each in presets)
    ]
    if common["fit"] is None and common["shape"] is not None:  # they may be resized to other sizes in the same way
        ways = {replace(each.fit, resize=None) for each in presets if each.fit is not None}
        common["fit"] = ways.pop() if len(ways) == 1 else None
    if common["shape"] is None:
        common["fit"] = None
    return replace(presets[0], origin=origin, left_out=(*presets[0].left_out, *left), **common)


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    sizes = [size] if isinstance(size, int) else list(size)
    return int(sizes[0]), int(sizes[-1])
