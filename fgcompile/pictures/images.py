"""Photos as artifacts take them: uint8, channels last, cropped to size.

A file goes through three hands: ``sources`` make a ``Picture`` of it, its samples with what the file says of them;
``scale`` makes bytes of those; here they are laid on a background, resized and cropped.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fgcompile.artifact.fitting import Fit, seen_part
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.validation import input_specs, takes_tokens
from fgcompile.errors import InputError
from fgcompile.pictures.fitting import fit_image
from fgcompile.pictures.picture import Picture
from fgcompile.pictures.reading import DEFAULT, Reading
from fgcompile.pictures.scale import to_uint8
from fgcompile.pictures.sources import picture_of_image, read_picture
from fgcompile.system.text import visible

_MODES = {1: "L", 3: "RGB"}


def photo_shape(metadata: Metadata, alone: bool = True) -> tuple[int, int, int]:
    """Returns the ``(H, W, C)`` of the photos that an artifact takes; of any C but 1 and 3 they are arrays.

    Args:
        metadata: The artifact's.
        alone: Whether it may take nothing beside the photo, which is its first input.

    Raises:
        InputError: The artifact takes something other than a raw photo.
    """
    inputs = input_specs(metadata)
    if metadata["preprocess"] is not None and len(inputs) > 1:
        if alone:
            others = ", ".join(spec["name"] for spec in inputs[1:])
            arrays = ", ".join(f"'{spec['name']}': array" for spec in inputs[1:])
            raise InputError(
                f"this artifact takes {others} beside the photo, which no picture says: give them by name, "
                f"session.explain({{'{inputs[0]['name']}': 'photo.jpg', {arrays}}}); the photo alone is what "
                "fgcompile.read_photos(session, path) reads"
            )
        inputs = inputs[:1]
    shape = inputs[0].get("example", inputs[0]["shape"])[1:]
    if takes_tokens(metadata):
        raise InputError(
            "this artifact takes texts, not photos: session.explain_text takes them"
            if "tokenizer" in metadata
            else "this artifact takes the numbers of a text's tokens, and keeps no tokenizer: compile it with "
            "tokenizer=PATH to explain texts; session.explain takes arrays"
        )
    if len(shape) != 3 or len(inputs) > 1:
        sizes = "; ".join(f"{spec['name']} ({', '.join(map(str, spec['shape']))})" for spec in inputs)
        files = "" if len(inputs) > 1 else ", and fgcompile explain such .npy files"
        raise InputError(f"this artifact takes {sizes}, not photos: session.explain takes arrays, as of np.load{files}")
    if metadata["preprocess"] is None:
        raise InputError(
            "this artifact takes prepared arrays, not photos: session.explain takes arrays, as of np.load, and "
            "fgcompile explain such .npy files; to explain photos compile it with preprocess=Preprocess(mean, std), "
            "the normalisation it was trained with"
        )
    height, width, channels = (int(size) for size in shape)
    return height, width, channels


def read_photo(
    path: Path | Image.Image, shape: tuple[int, int, int], reading: Reading = DEFAULT, fit: Fit | None = None
) -> NDArray[np.uint8]:
    """Reads a photo, turns it upright, scales it to bytes, lays it on the background and fits it to ``shape``.

    Without ``fit`` a photo of exactly this size is taken as it is, and any other resized (bicubic) and cropped about
    its centre so that 224/256 of its short side remain, as in the evaluation of ImageNet classifiers.

    Args:
        path: A picture file, DICOM, or ``.npy`` with an array of exactly this shape; or a picture of Pillow's.
        shape: ``(H, W, C)`` with C = 3 (RGB) or 1 (grey), or any other C for ``.npy`` alone.
        reading: What the file does not say by itself.
        fit: What the artifact says of it (``fgcompile.artifact.fitting.fit_of``), which ``reading.fit`` goes before.

    Returns:
        uint8 of that shape.

    Raises:
        InputError: The file cannot be read as a picture, or does not say which of its values are black and white.
        MissingPackageError: It takes a package that is not installed.
    """
    opened, chosen = _opened(path, shape, reading, fit)
    return opened if isinstance(opened, np.ndarray) else _fitted(opened, path, shape, reading, chosen)


def read_whole(
    path: Path, shape: tuple[int, int, int], reading: Reading = DEFAULT, fit: Fit | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[float, float, float, float]]:
    """What ``read_photo`` returns; the whole photo in the same channels, as it was before; where the one lies in it.

    The part is left, top, right and bottom in the whole photo's pixels, beyond its edges where it was filled up.
    """
    opened, chosen = _opened(path, shape, reading, fit)
    if isinstance(opened, np.ndarray):
        return opened, opened, (0.0, 0.0, float(shape[1]), float(shape[0]))
    pixels = np.asarray(opened, dtype=np.uint8).reshape(opened.height, opened.width, shape[2])
    return _fitted(opened, path, shape, reading, chosen), pixels, seen_part(opened.size, shape[:2], chosen)


def _opened(
    path: Path | Image.Image, shape: tuple[int, int, int], reading: Reading, fit: Fit | None
) -> tuple[NDArray[np.uint8] | Image.Image, Fit]:
    """The whole photo in an artifact's channels, as an array where it is what the artifact takes; and how to fit it."""
    picture, samples = _read(path, shape, reading)
    chosen = (fit or Fit()).instead(reading.fit)
    if samples.shape == shape and picture.alpha is None and (chosen.resize is None or picture.prepared):
        return samples, chosen
    image = _flatten(samples, picture.alpha, reading.background)
    mode = _MODES[shape[2]]
    return (image if image.mode == mode else image.convert(mode)), chosen


def _fitted(
    image: Image.Image, path: Path | Image.Image, shape: tuple[int, int, int], reading: Reading, fit: Fit
) -> NDArray[np.uint8]:
    try:
        image = fit_image(image, shape[:2], fit, reading.max_pixels)
    except InputError as error:
        raise InputError(f"{_name(path)}: {error}") from error
    return np.asarray(image, dtype=np.uint8).reshape(shape)


def read_unfitted(path: Path, channels: int, reading: Reading) -> NDArray[np.uint8]:
    """Reads a photo of any size as ``read_photo`` does, and leaves it at that size.

    Args:
        path: As there.
        channels: C.
        reading: As there, with the fit ``whole`` or ``tile``.

    Returns:
        uint8 ``(H, W, C)``.

    Raises:
        InputError: As there.
        MissingPackageError: As there.
    """
    picture, samples = _read(path, (1, 1, channels), reading)
    if samples.shape[2] == channels and picture.alpha is None:
        return samples
    image = _flatten(samples, picture.alpha, reading.background).convert(_MODES[channels])
    return np.asarray(image, dtype=np.uint8).reshape(image.height, image.width, channels)


def told_of(path: Path, error: Exception) -> str:
    """What an error says of a photo, with the photo's name."""
    said = str(error)
    return said if visible(path.name) in said else f"{visible(str(path))}: {said}"


def require_any_size(metadata: Metadata) -> None:
    """Passes artifacts that take photos of any size.

    Raises:
        InputError: This one takes one size alone.
    """
    shape = input_specs(metadata)[0]["shape"][1:3]
    if any(isinstance(size, int) for size in shape):
        raise InputError(
            f"fit='whole': this artifact takes pictures of {' × '.join(map(str, shape))} alone: compile it with "
            "dynamic_sizes=True, or choose another fit"
        )


def in_whole_steps(photo: NDArray[np.uint8], metadata: Metadata, fit: Fit) -> NDArray[np.uint8]:
    """A photo at the nearest size that an artifact with dynamic sizes takes: its own, or the next multiple.

    Raises:
        InputError: It takes none so small or so large.
    """
    spec = input_specs(metadata)[0]
    sizes = []
    for axis, name in ((1, "height"), (2, "width")):
        written, size = str(spec["shape"][axis]), photo.shape[axis - 1]
        factor = int(written.partition("*")[0]) if "*" in written else 1
        size = max(1, round(size / factor)) * factor
        least, most = (spec[key][axis] if key in spec else None for key in ("smallest", "largest"))
        if (least is not None and size < least) or (most is not None and size > most):
            bound = f"{least} or more" if least is not None and size < least else f"{most} at most"
            raise InputError(f"a {name} of {size}: this artifact takes {bound}: choose another fit")
        sizes.append(size)
    if tuple(sizes) == photo.shape[:2]:
        return photo
    image = Image.fromarray(photo[..., 0] if photo.shape[2] == 1 else photo)
    squashed = fit_image(image, (sizes[0], sizes[1]), Fit("squash", None, fit.interpolation), 2**62)
    return np.asarray(squashed, dtype=np.uint8).reshape(*sizes, photo.shape[2])


def _read(path: Path | Image.Image, shape: tuple[int, int, int], reading: Reading) -> tuple[Picture, NDArray[np.uint8]]:
    """What a file or a picture of Pillow's holds, and its samples as bytes."""
    if isinstance(path, Image.Image):
        picture = picture_of_image(path, shape, reading)
    else:
        picture = read_picture(path, shape, reading)
    try:
        return picture, to_uint8(picture, reading.window)
    except InputError as error:
        # Of a picture of Pillow's what is wrong begins with what it is.
        raise error if isinstance(path, Image.Image) else InputError(f"{_name(path)}: {error}") from error


def _name(path: Path | Image.Image) -> str:
    """What a message calls a picture."""
    return "a picture" if isinstance(path, Image.Image) else visible(str(path))


def _flatten(
    samples: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, background: tuple[int, int, int]
) -> Image.Image:
    """Grey or colour, over the background where that shows through."""
    image = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    if alpha is None:
        return image
    below = Image.new("RGB", image.size, background)
    below.paste(image.convert("RGB"), mask=Image.fromarray(alpha))
    return below
