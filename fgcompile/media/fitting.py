"""A picture fitted to an artifact's size, as its ``Fit`` says: Pillow's resize, then the centre.

Sizes and places are those of the transforms that networks were trained with, to the pixel: torchvision's ``Resize`` and
``CenterCrop``, timm's ``ResizeKeepRatio`` and ``CenterCropOrPad``, and the processors of Transformers.
"""

from __future__ import annotations

from PIL import Image, ImageOps

from fgcompile.artifact.fitting import Fit
from fgcompile.errors import InputError

_FILTERS = {filter.name.lower(): filter for filter in Image.Resampling}
_MARGIN = (1 - 224 / 256) / 2
"""Of each side of a crop whose size nothing says: 224 of 256 parts are kept, the usual evaluation of ImageNet."""


def fit_image(image: Image.Image, shape: tuple[int, int], fit: Fit, max_pixels: int) -> Image.Image:
    """Fits a picture, grey or in red, green and blue.

    Args:
        image: Any size.
        shape: ``(H, W)`` of the result.
        fit: How.
        max_pixels: Of the resized picture, before it is cropped.

    Raises:
        InputError: It would have more: the picture is so long and narrow.
    """
    height, width = shape
    if fit.mode == "crop" and fit.resize is None:
        if image.size == (width, height):
            return image
        return ImageOps.fit(image, (width, height), _FILTERS[fit.interpolation], bleed=_MARGIN)
    size = resized(image.size, fit, fit.resize or shape)
    if size[0] * size[1] > max_pixels:
        raise InputError(
            f"{image.width} by {image.height} pixels would be resized to {size[0]} by {size[1]}, more than the "
            f"{max_pixels:,} that are read: fit it another way, --fit letterbox or squash, or raise --max-pixels"
        )
    if image.size != size:
        image = image.resize(size, _FILTERS[fit.interpolation])
    return _centre(image, shape, fit)


def seen_part(size: tuple[int, int], shape: tuple[int, int], fit: Fit) -> tuple[float, float, float, float]:
    """Where ``(H, W)`` lies over a picture of a size, ``(width, height)``, that was fitted to it.

    Returns:
        Left, top, right and bottom, in the picture's pixels: beyond its edges where it was filled up.
    """
    height, width = shape
    if fit.mode == "crop" and fit.resize is None:
        if size == (width, height):
            return 0.0, 0.0, float(size[0]), float(size[1])
        kept = (1 - 2 * _MARGIN) * min(size[0] / width, size[1] / height)
        across, down = kept * width, kept * height
        return (size[0] - across) / 2, (size[1] - down) / 2, (size[0] + across) / 2, (size[1] + down) / 2
    to = resized(size, fit, fit.resize or shape)
    left, top = (_half(more, fit.rounding) if more >= 0 else -(-more // 2) for more in (to[0] - width, to[1] - height))
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


def _centre(image: Image.Image, shape: tuple[int, int], fit: Fit) -> Image.Image:
    """The middle ``(H, W)`` of a picture; where it has fewer pixels they are filled up, at the left and above less."""
    height, width = shape
    if image.width < width or image.height < height:
        fill = fit.fill if image.mode == "RGB" else _grey(fit.fill)
        padded = Image.new(image.mode, (max(width, image.width), max(height, image.height)), fill)
        padded.paste(image, ((padded.width - image.width) // 2, (padded.height - image.height) // 2))
        image = padded
    left, top = (_half(more, fit.rounding) for more in (image.width - width, image.height - height))
    return image if image.size == (width, height) else image.crop((left, top, left + width, top + height))


def _half(pixels: int, rounding: str) -> int:
    return round(pixels / 2) if rounding == "even" else pixels // 2


def _grey(color: tuple[int, int, int]) -> int:
    return int(Image.new("RGB", (1, 1), color).convert("L").tobytes()[0])
