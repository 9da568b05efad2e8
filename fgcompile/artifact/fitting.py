"""How a picture of any size becomes one of an artifact's size: resized, then cropped or padded about its centre."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from fgcompile.errors import InputError

FitMode = Literal["crop", "squash", "letterbox"]
MODES = get_args(FitMode)
"""What an artifact may say that its pictures are fitted by."""

Interpolation = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
INTERPOLATIONS = get_args(Interpolation)
"""Pillow's filters. All but ``nearest`` average over what one pixel covers: antialiased."""

ROUNDINGS = ("even", "down")
"""Where a crop lies if half a pixel is left: torchvision takes the even one, Transformers the lower."""

LARGEST = 2**14
"""Pixels of a side that pictures are resized to, at most."""


@dataclass(frozen=True)
class Fit:
    """From a picture ``(h, w)`` to one ``(H, W)`` that an artifact takes.

    With ``crop`` the picture is resized, its proportions kept, so that it just covers ``resize``; with ``letterbox`` so
    that it just fits in; with ``squash`` to ``resize`` itself. Then the central ``(H, W)`` is taken, with ``fill``
    where the picture ends.

    Attributes:
        mode: One of ``MODES``.
        resize: ``(height, width)``. None for ``(H, W)`` itself, but with ``crop`` that of which 224/256 of the shorter
            side are kept, as in the evaluation of ImageNet classifiers.
        interpolation: One of ``INTERPOLATIONS``.
        fill: Red, green and blue of what lies beside the picture, 0 to 255.
        rounding: One of ``ROUNDINGS``.

    Raises:
        InputError: A value is none that it can have.
    """

    mode: str = "crop"
    resize: tuple[int, int] | None = None
    interpolation: str = "bicubic"
    fill: tuple[int, int, int] = (0, 0, 0)
    rounding: str = "even"

    def __post_init__(self) -> None:
        for name, allowed in (("mode", MODES), ("interpolation", INTERPOLATIONS), ("rounding", ROUNDINGS)):
            if getattr(self, name) not in allowed:
                raise InputError(f"fit has the {name} {getattr(self, name)!r}: give one of {', '.join(allowed)}")
        for name, size, low, high in (("resize", 2, 1, LARGEST), ("fill", 3, 0, 255)):
            given: Any = getattr(self, name)
            if given is None and name == "resize":
                continue
            values = tuple(given) if isinstance(given, list | tuple) else ()
            if len(values) != size or not all(type(each) is int and low <= each <= high for each in values):
                raise InputError(f"fit has {name} {given!r}: give {size} whole numbers from {low} to {high}")
            object.__setattr__(self, name, values)

    def instead(self, mode: str | None) -> Fit:
        """The same in another mode: of the whole picture where it is not a crop; None leaves it."""
        return self if mode in (None, self.mode) else replace(self, mode=str(mode), resize=None)

    def fills_up(self, shape: tuple[int, int]) -> bool:
        """Whether pictures of all sizes have a margin of ``fill``: they are resized to less than ``(H, W)``."""
        return self.resize is not None and (self.resize[0] < shape[0] or self.resize[1] < shape[1])

    def as_dict(self) -> dict[str, Any]:
        """For JSON: what differs from the defaults, and the mode and the interpolation."""
        always = {"mode": self.mode, "interpolation": self.interpolation}
        resize = {} if self.resize is None else {"resize": list(self.resize)}
        fill = {} if self.fill == (0, 0, 0) else {"fill": list(self.fill)}
        return always | resize | fill | ({} if self.rounding == "even" else {"rounding": self.rounding})

    def describe(self, shape: tuple[int, int]) -> str:
        """In words, for an artifact of ``shape``, ``(H, W)``."""
        size = " × ".join(map(str, shape))
        if self.resize is None:
            to = {
                "crop": f"224/256 of the shorter side, cropped to {size}",
                "squash": f"squashed to {size}",
                "letterbox": f"the whole picture within {size}",
            }[self.mode]
            return f"{to}, {self.interpolation}"
        height, width = self.resize
        side = str(height) if height == width and self.mode != "squash" else f"{height} × {width}"
        how = {"crop": "shorter side to", "squash": "squashed to", "letterbox": "longer side to"}[self.mode]
        taken = "filled up to" if self.fills_up(shape) else "centre"
        kept = "" if tuple(self.resize) == tuple(shape) and self.mode != "crop" else f", {taken} {size}"
        return f"{how} {side}, {self.interpolation}{kept}"


def fit_of(preprocess: Mapping[str, Any] | None) -> Fit:
    """What an artifact's metadata say of it; the default where they say nothing."""
    spec = (preprocess or {}).get("fit")
    return (
        Fit()
        if spec is None
        else Fit(**{**spec, **{key: tuple(spec[key]) for key in ("resize", "fill") if key in spec}})
    )


MARGIN = (1 - 224 / 256) / 2
"""Of each side of a crop whose size nothing says: 224 of 256 parts are kept, the usual evaluation of ImageNet."""


def seen_part(size: tuple[int, int], shape: tuple[int, int], fit: Fit) -> tuple[float, float, float, float]:
    """Where ``(H, W)`` lies over a picture of a size, ``(width, height)``, that was fitted to it.

    Returns:
        Left, top, right and bottom, in the picture's pixels: beyond its edges where it was filled up.
    """
    height, width = shape
    if fit.mode == "crop" and fit.resize is None:
        if size == (width, height):
            return 0.0, 0.0, float(size[0]), float(size[1])
        kept = (1 - 2 * MARGIN) * min(size[0] / width, size[1] / height)
        across, down = kept * width, kept * height
        return (size[0] - across) / 2, (size[1] - down) / 2, (size[0] + across) / 2, (size[1] + down) / 2
    to = resized(size, fit, fit.resize or shape)
    left, top = (half(more, fit.rounding) if more >= 0 else -(-more // 2) for more in (to[0] - width, to[1] - height))
    x, y = size[0] / to[0], size[1] / to[1]
    return left * x, top * y, (left + width) * x, (top + height) * y


def resized(size: tuple[int, int], fit: Fit, to: tuple[int, int]) -> tuple[int, int]:
    """The ``(width, height)`` of a picture of a size, resized to ``(height, width)`` in a mode."""
    (width, height), (to_height, to_width) = size, to
    if fit.mode == "squash":
        return to_width, to_height
    if fit.mode == "crop" and to_height == to_width:  # whole pixels of the longer side, what is left over dropped
        short, long = min(size), max(size)
        longer = to_width * long // short
        return (to_width, longer) if width <= height else (longer, to_width)
    ratios = (height / to_height, width / to_width)
    ratio = min(ratios) if fit.mode == "crop" else max(ratios)
    return max(1, round(width / ratio)), max(1, round(height / ratio))


def half(pixels: int, rounding: str) -> int:
    """Half of what is left over, in whole pixels."""
    return round(pixels / 2) if rounding == "even" else pixels // 2
