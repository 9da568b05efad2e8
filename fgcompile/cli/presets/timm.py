"""timm: ``model.pretrained_cfg``, and the names of ImageNet's classes.

Of a file of weights that is, by its SHA-256, of another tag than the one that was named, the other's is taken.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fgcompile.artifact.fitting import Fit
from fgcompile.cli.presets.preset import Preset, is_file_of

_IMAGENETS = ("in1k", "in12k", "in21k", "in22k")
"""What tags call the sets of images; which of them a model tells apart says the number of its classes."""

_MODES = {"center": "crop", "squash": "squash", "border": "letterbox"}


def read_timm(name: str, arguments: Mapping[str, Any], weights: Path | None, model: Any) -> Preset | None:
    """The preset of a model's configuration; none of random weights."""
    if weights is None and not arguments.get("pretrained"):
        return None
    settings = getattr(model, "pretrained_cfg", None)
    if not settings:
        return None
    timm: Any = importlib.import_module("timm")
    known = _by_file(timm, settings, weights)
    found = settings if known is None else known
    channels = arguments.get("in_chans")
    if channels is not None and channels != (found.get("input_size") or (channels,))[0]:
        shape = _shape({**found, "input_size": (channels, *found["input_size"][1:])}, arguments.get("img_size"))
        left = (f"all but the size, since it is of other pictures than those of {channels} channels",)
        return Preset(f"timm's {name}", shape=shape, left_out=left)
    full = ".".join(str(found[key]) for key in ("architecture", "tag") if found.get(key)) or name
    by = "" if known is None else ", by the file's SHA-256"
    return preset_of(found, f"timm's {full}{by}", arguments.get("img_size"), _labels(found, model))


def preset_of(
    settings: Mapping[str, Any], origin: str, size: object = None, labels: tuple[str, ...] | None = None
) -> Preset:
    """What a configuration says; ``size`` is another that the model was built for."""
    mean, std = (settings.get(key) for key in ("mean", "std"))
    shape, left = _shape(settings, size), tuple[str, ...]()
    mode, kept, interpolation = (settings.get(key) for key in ("crop_mode", "crop_pct", "interpolation"))
    fit = None
    if shape is None or mode not in _MODES or not kept or not interpolation:
        left = ("how pictures are resized and cropped, which the configuration does not say",)
    else:
        resize = (math.floor(shape[1] / kept), math.floor(shape[2] / kept))
        fill = tuple(round(255 * value) for value in mean or ()) if mode == "border" else ()
        fit = Fit(_MODES[mode], resize, interpolation, fill if len(fill) == 3 else (0, 0, 0))
    return Preset(
        origin,
        mean=None if mean is None else tuple(mean),
        std=None if std is None else tuple(std),
        shape=shape,
        fit=fit,
        labels=labels,
        left_out=left,
    )


def _shape(settings: Mapping[str, Any], size: object) -> tuple[int, int, int] | None:
    given = settings.get("input_size")
    if given is None:
        return None
    channels, height, width = given
    if isinstance(size, int):
        height = width = size
    elif isinstance(size, list | tuple):
        height, width = size
    return int(channels), int(height), int(width)


def _by_file(timm: Any, settings: Mapping[str, Any], weights: Path | None) -> Mapping[str, Any] | None:
    """The configuration whose weights a file holds, among all tags of the architecture."""
    architecture = settings.get("architecture")
    if weights is None or architecture is None:
        return None
    for name in timm.list_models(f"{architecture}.*", pretrained=True):
        each = timm.get_pretrained_cfg(name)
        if each is not None and is_file_of(weights, each.url if isinstance(each.url, str) else None):
            return dict(each.to_dict())
    return None


def _labels(settings: Mapping[str, Any], model: Any) -> tuple[str, ...] | None:
    """The configuration's own, or ImageNet's where its tag names that."""
    count = getattr(model, "num_classes", None)
    own, described = settings.get("label_names"), settings.get("label_descriptions") or {}
    if own:
        return tuple(str(described.get(name, name)) for name in own) if len(own) == count else None
    if not any(part in str(settings.get("tag")) for part in _IMAGENETS):
        return None
    data: Any = importlib.import_module("timm.data")
    subset = data.infer_imagenet_subset(model)
    return None if subset is None else tuple(data.ImageNetInfo(subset).label_descriptions())
