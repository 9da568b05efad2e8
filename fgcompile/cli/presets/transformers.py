"""Transformers: the ``preprocessor_config.json`` beside a ``config.json``.

Labels, ``id2label``, are the compiler's to read: they come with a model from Python too.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fgcompile.artifact.fitting import INTERPOLATIONS, Fit
from fgcompile.cli.presets.preset import Preset
from fgcompile.errors import first_line

FILES = ("preprocessor_config.json", "processor_config.json")

_FILTERS = dict(zip((0, 4, 2, 5, 3, 1), INTERPOLATIONS, strict=True))
"""Pillow's numbers of them."""

_COLOURS = "rgb"

_PLAIN = (
    *("ViT", "DeiT", "Beit", "CLIP", "ChineseCLIP", "Siglip", "Bit", "Segformer", "MobileNetV1", "MobileNetV2"),
    *("ConvNext", "Levit", "PoolFormer", "Pvt", "MobileViT", "Blip"),
)
"""Processors that resize, crop about the centre, rescale and normalise, and nothing else."""


def read_transformers(name: str, arguments: Mapping[str, Any], weights: Path | None, model: Any) -> Preset | None:
    """The preset of the processor beside a configuration; none where there is none."""
    path = Path(name)
    folder = path if path.is_dir() else path.parent
    file = next((folder / each for each in FILES if (folder / each).is_file()), None)
    if file is None or getattr(model, "main_input_name", None) != "pixel_values":
        return None
    origin = f"{folder.resolve().name}/{file.name}"  # wherever the folder lies, so that the same is compiled of it
    transformers: Any = importlib.import_module("transformers")
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True)
        settings = processor.to_dict()
    except Exception as error:  # the library's, of a file that anybody may have written
        return Preset(origin, left_out=(f"{file.name}, which Transformers cannot read ({first_line(error)})",))
    return preset_of(settings, origin)


def preset_of(settings: Mapping[str, Any], origin: str) -> Preset:
    """What the settings of a processor say, all defaults filled in."""
    full = str(settings.get("image_processor_type", ""))
    kind = re.sub(r"(ImageProcessor|FeatureExtractor)(Fast|Pil)?$", "", full)
    if kind not in _PLAIN or settings.get("do_pad"):
        return Preset(origin, left_out=(f"{full or 'its processor'}, whose steps are not known here: --mean, --std",))
    found = _normalisation(settings, Preset(origin))
    shape, fit = _fit(kind, settings)
    if fit is None:
        left = ("how pictures are resized, which gives each its own size: they are cropped about the centre",)
        return replace(found, left_out=left)
    return replace(found, shape=(len(found.mean or ()), *shape), fit=fit)


def _normalisation(settings: Mapping[str, Any], found: Preset) -> Preset:
    white = 255 * float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale") else 255.0
    normalised = settings.get("do_normalize")
    mean, std = (_channels(settings.get(key)) for key in ("image_mean", "image_std"))
    normalised = normalised and mean is not None and std is not None
    return replace(
        found,
        mean=mean if normalised else (0.0,) * len(mean or _COLOURS),
        std=std if normalised else (1.0,) * len(mean or _COLOURS),
        scale=(0.0, 1.0 if abs(white - 1) < 1e-9 else white),  # 255 · (1 / 255) as Python has it
        order="bgr" if settings.get("do_flip_channel_order") else "rgb",
    )


def _channels(given: object) -> tuple[float, ...] | None:
    if isinstance(given, int | float):
        return (float(given),) * len(_COLOURS)
    return tuple(map(float, given)) if isinstance(given, list | tuple) else None


def _fit(kind: str, settings: Mapping[str, Any]) -> tuple[tuple[int, int], Fit | None]:
    """What the model takes, ``(H, W)``, and how pictures become that; none where it depends on the picture."""
    size, crop = settings.get("size") or {}, settings.get("crop_size") or {}
    interpolation = _FILTERS.get(int(settings.get("resample") or 0), "bilinear")
    cropped = (int(crop["height"]), int(crop["width"])) if settings.get("do_center_crop") and "height" in crop else None
    short = size.get("shortest_edge")
    if not settings.get("do_resize") or size.get("longest_edge"):
        return (0, 0), None
    if (kind == "ConvNext" and cropped is not None) or (kind == "PoolFormer" and not short):
        return (0, 0), None
    if kind == "ConvNext" and short:
        if short >= 384:  # squashed, and not cropped
            return (short, short), Fit("squash", (short, short), interpolation)
        short, cropped = int(short / settings.get("crop_pct", 224 / 256)), (short, short)
    elif kind == "Levit" and short:
        short = int(256 / 224 * short)
    elif kind == "PoolFormer" and short and settings.get("crop_pct"):
        short = int(short / settings["crop_pct"])
    if short and cropped is not None:
        return cropped, Fit("crop", (short, short), interpolation, rounding="down")
    if "height" in size and "width" in size:
        to = (int(size["height"]), int(size["width"]))
        return cropped or to, Fit("squash", to, interpolation, rounding="down")
    return (0, 0), None
