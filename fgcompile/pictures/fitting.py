"""A picture fitted to an artifact's size, as its ``Fit`` says: Pillow's resize, then the centre.

Sizes and places are those of the transforms that networks were trained with, to the pixel: torchvision's ``Resize`` and
``CenterCrop``, timm's ``ResizeKeepRatio`` and ``CenterCropOrPad``, and the processors of Transformers.
"""

from __future__ import annotations

from PIL import Image, ImageOps

from fgcompile.artifact.fitting import MARGIN, Fit, half, resized
from fgcompile.errors import InputError

_FILTERS = {filter.name.lower(): filter for filter in Image.Resampling}


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
        return ImageOps.fit(image, (width, height), _FILTERS[fit.interpolation], bleed=MARGIN)
    size = resized(image.size, fit, fit.resize or shape)
    if size[0] * size[1] > max_pixels:
        raise InputError(
            f"{image.width} by {image.height} pixels would be resized to {size[0]} by {size[1]}, more than the "
            f"{max_pixels:,} that are read: fit it another way, fit='letterbox' or fit='squash', or raise max_pixels"
        )
    if image.size != size:
        image = image.resize(size, _FILTERS[fit.interpolation])
    return _centre(image, shape, fit)


def _centre(image: Image.Image, shape: tuple[int, int], fit: Fit) -> Image.Image:
    """The middle ``(H, W)`` of a picture; where it has fewer pixels they are filled up, at the left and above less."""
    height, width = shape
    if image.width < width or image.height < height:
        fill = fit.fill if image.mode == "RGB" else _grey(fit.fill)
        padded = Image.new(image.mode, (max(width, image.width), max(height, image.height)), fill)
        padded.paste(image, ((padded.width - image.width) // 2, (padded.height - image.height) // 2))
        image = padded
    left, top = (half(more, fit.rounding) for more in (image.width - width, image.height - height))
    return image if image.size == (width, height) else image.crop((left, top, left + width, top + height))


def _grey(color: tuple[int, int, int]) -> int:
    return int(Image.new("RGB", (1, 1), color).convert("L").tobytes()[0])
