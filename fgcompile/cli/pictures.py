"""What is done to pictures: what the user says, and where they say nothing what the source does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fgcompile.artifact.fitting import Fit
from fgcompile.cli.arguments import InputShape, parse_numbers
from fgcompile.cli.presets.preset import Preset
from fgcompile.errors import InputError

if TYPE_CHECKING:
    from fgcompile import Preprocess


@dataclass(frozen=True)
class Wanted:
    """What the options say; None of each that was not given."""

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    scale: tuple[float, float] | None = None
    order: str | None = None
    mode: str | None = None
    resize: tuple[int, int] | None = None
    interpolation: str | None = None

    def given(self) -> list[str]:
        """The options that say something and need a normalisation to be of use."""
        return [f"--{name}" for name in ("order", "resize", "interpolation") if getattr(self, name) is not None] + (
            [] if self.mode is None else ["--fit"]
        )


def parse_wanted(
    normalisation: tuple[str | None, str | None],
    scale: str | None,
    order: str | None,
    fit: tuple[str | None, str | None, str | None],
) -> Wanted:
    """The options ``--mean`` and ``--std``, ``--scale``, ``--order``, and ``--fit``, ``--resize``, ``--interpolation``.

    Raises:
        InputError: One cannot be read, or lacks another.
    """
    mean, std = normalisation
    if (mean is None) != (std is None):
        raise InputError("--mean and --std go together: give both")
    ends = None if scale is None else parse_numbers("--scale", scale, "the values of black and white, as 0,255")
    if ends is not None and (len(ends) != 2 or not ends[0] < ends[1]):
        raise InputError(f"--scale {scale}: give the values of black and white, as 0,255 or --scale=-1,1")
    means, deviations = _numbers("--mean", mean), _numbers("--std", std)
    if deviations is not None and min(deviations) <= 0:
        raise InputError(f"--std {std}: give standard deviations, above 0")
    if means is not None and deviations is not None and len({len(means), len(deviations)} - {1}) > 1:
        raise InputError(
            f"--mean has {len(means)} numbers and --std {len(deviations)}: give one a channel to each, or one for all"
        )
    mode, resize, interpolation = fit
    side = None if resize is None else _parse_resize(resize)
    return Wanted(means, deviations, ends, order, mode, side, interpolation)


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    numbers = None if text is None else tuple(parse_numbers(option, text))
    if numbers is not None and not all(map(math.isfinite, numbers)):
        raise InputError(f"{option} {text}: give finite numbers")
    return numbers


def _parse_resize(text: str) -> tuple[int, int]:
    sides = text.split("x")
    if len(sides) > 2 or not all(side.isascii() and side.isdigit() and int(side) for side in sides):
        raise InputError(f"--resize {text}: give the side that pictures are resized to before the crop, 256, or HxW")
    return int(sides[0]), int(sides[-1])


def shapes_of(shapes: Sequence[InputShape], preset: Preset | None, model: object) -> Sequence[InputShape]:
    """The inputs' shapes: those that were given, else the preset's, else none."""
    if shapes or preset is None or preset.shape is None:
        return shapes
    return [InputShape(preset.shape, "float32", getattr(model, "main_input_name", None))]


def preprocess_of(
    wanted: Wanted, preset: Preset | None, examples: Sequence[Any]
) -> tuple[Preprocess | None, Preset | None]:
    """The preprocessing, and what is left of the preset: what does not fit the model is left out of it by name.

    Args:
        wanted: What was asked for.
        preset: What the source says.
        examples: Of the model's inputs.

    Raises:
        InputError: There is nothing to normalise by.
    """
    from fgcompile import Preprocess

    values = [each for one in examples for each in (one.values() if isinstance(one, Mapping) else [one])]
    picture = tuple(values[0].shape[1:]) if len(values) == 1 else ()
    preset = _fitting(preset, picture)
    mean, std, scale = wanted.mean, wanted.std, wanted.scale or (0.0, 1.0)
    own = mean is None and wanted.scale is None
    if mean is None and wanted.scale is not None:
        mean, std = (0.0,) * (picture or (3,))[0], (1.0,) * (picture or (3,))[0]
    elif own and preset is not None:
        mean, std, scale = preset.mean, preset.std, preset.scale
    if mean is None or std is None:
        if given := wanted.given():
            raise InputError(
                f"{' and '.join(given)}: the artifact takes prepared arrays, no pictures, without a normalisation: "
                "give --mean and --std, or --scale alone"
            )
        return None, preset
    if len(picture) == 3:  # one number is for all channels
        most = max(len(mean), len(std))
        channels = most if most > 1 else int(picture[0])
        mean, std = (one * channels if len(one) == 1 else one for one in (mean, std))
    fit = fit_of(wanted, preset, (int(picture[1]), int(picture[2])) if len(picture) == 3 else (0, 0))
    read = preset is not None and ((own and preset.mean is not None) or preset.fit is not None)
    order: Any = wanted.order or ("rgb" if preset is None else preset.order)
    origin = preset.origin if preset is not None and read else None
    return Preprocess(mean, std, scale=scale, order=order, fit=fit, origin=origin), preset


def fit_of(wanted: Wanted, preset: Preset | None, shape: tuple[int, int]) -> Fit | None:
    """How pictures become ``shape``: the preset's way, with each of the options in its place."""
    fit = None if preset is None else preset.fit
    if fit is not None and fit.resize is not None and preset is not None and preset.shape is not None:
        # Of another size than the preset's as large a part of the picture is kept.
        height, width = (
            round(side * new / old) for side, new, old in zip(fit.resize, shape, preset.shape[1:], strict=True)
        )
        fit = replace(fit, resize=(height, width))
    if wanted.mode is None and wanted.resize is None and wanted.interpolation is None:
        return fit
    fit = (fit or Fit()).instead(wanted.mode)
    return replace(fit, resize=wanted.resize or fit.resize, interpolation=wanted.interpolation or fit.interpolation)


def _fitting(preset: Preset | None, picture: Sequence[int]) -> Preset | None:
    """The preset without what is of other inputs than the model's."""
    if preset is None or (preset.mean is None and preset.fit is None):
        return preset
    channels = len(preset.mean or ()) or 3
    if len(picture) == 3 and picture[0] == channels:
        return preset
    takes = f"{' × '.join(map(str, picture))}" if picture else "several inputs"
    why = f"normalisation and crop, of pictures of {channels} channels: the model takes {takes}"
    return replace(preset, mean=None, std=None, fit=None, shape=None, left_out=(*preset.left_out, why))
