"""What a caller gives for an artifact's inputs, in NumPy's arrays: tensors, pictures where it takes photos; no text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.questions import shown
from fgcompile.artifact.validation import Array, check_inputs, has_pictures, input_specs, is_picture
from fgcompile.errors import InputError
from fgcompile.runtime.torch_callers import as_arrays

_NUMBERS = ("int32", "int64")
"""What tokens are; photos are uint8."""


def given_arrays(x: Any, metadata: Metadata, tokenizer: str | None) -> tuple[Any, Any]:
    """What a caller gives, in NumPy's arrays, and the device that tensors were on; None without any.

    Args:
        x: As for ``Session.explain``.
        metadata: The artifact's.
        tokenizer: The JSON that it keeps; None where it keeps none.

    Raises:
        InputError: It has words where numbers of tokens are taken, pictures where no photos are, or one that cannot be
            read.
        MissingPackageError: A picture takes a package that is not installed.
    """
    x = _by_name(x, metadata)
    if metadata["preprocess"] is not None:
        _require_all_pictures(x, metadata)
    if has_pictures(x):
        _require_no_text(x, metadata, tokenizer)
        from fgcompile.pictures.given import with_photos

        x = with_photos(x, metadata)
    return as_arrays(x)


def files_of(x: Any) -> tuple[Path | None, ...]:
    """Where each sample was read from, None for one that was not; empty where none was.

    Args:
        x: As for ``Session.explain``.
    """
    if isinstance(x, Mapping):
        return next(filter(None, map(files_of, x.values())), ())
    pictures = list(x) if isinstance(x, list | tuple) else [x]
    if not pictures or not all(map(is_picture, pictures)):
        # Of inputs in the artifact's order one may be a photo, or photos.
        return next(filter(None, map(files_of, x)), ()) if isinstance(x, tuple) else ()
    files = tuple(_file_of(each) for each in pictures)
    return files if any(files) else ()


def _file_of(picture: Any) -> Path | None:
    """The file of a picture: Pillow's know theirs while nothing has been done to them."""
    path = picture if isinstance(picture, str | os.PathLike) else getattr(picture, "filename", None)
    return Path(path) if isinstance(path, str | os.PathLike) and os.fspath(path) else None


def _require_all_pictures(x: Any, metadata: Metadata) -> None:
    """Refuses lists of pictures that have something else among them, which is named."""
    photo = input_specs(metadata)[0]["name"]
    given = x.get(photo) if isinstance(x, Mapping) else x
    if not isinstance(given, list) or not any(map(is_picture, given)):
        return
    for number, each in enumerate(given):
        if not is_picture(each):
            raise InputError(
                f"{photo}[{number}] is {shown(each)}, and others are pictures: give the path of a file, or a picture "
                "of Pillow's"
            )


def _by_name(x: Any, metadata: Metadata) -> Any:
    """Inputs in the artifact's order by name, where there are several and some are pictures."""
    specs = input_specs(metadata)
    if not isinstance(x, tuple) or len(specs) < 2 or len(x) != len(specs) or not any(map(has_pictures, x)):
        return x
    return {spec["name"]: value for spec, value in zip(specs, x, strict=True)}


def checked(x: Any, metadata: Metadata) -> dict[str, Array]:
    """As ``check_inputs``; of an array that is no photo as the artifact takes them the error says what else is taken.

    Raises:
        InputError: As there.
    """
    try:
        return check_inputs(x, metadata)
    except InputError as error:
        if metadata["preprocess"] is None or len(input_specs(metadata)) != 1 or isinstance(x, Mapping):
            raise
        size = _other_size(x, metadata)
        if size is None and getattr(x, "dtype", None) == input_specs(metadata)[0]["dtype"]:
            raise
        taken = "read and fitted" if size is None else f"fitted to {size}"
        raise InputError(f"{error}; a path or a picture of Pillow's is {taken}") from error


def _other_size(x: Any, metadata: Metadata) -> str | None:
    """The size of an artifact's photos, where an array is a photo, or photos, of another."""
    spec = input_specs(metadata)[0]
    if getattr(x, "dtype", None) != spec["dtype"]:
        return None
    sizes = list(spec["shape"][1:])
    given = list(x.shape[-3:])
    photo = len(sizes) == 3 and x.ndim in (3, 4) and given[2] == sizes[2] and given != sizes
    return f"{sizes[0]} x {sizes[1]}" if photo and all(isinstance(size, int) for size in sizes) else None


def _require_no_text(x: Any, metadata: Metadata, tokenizer: str | None) -> None:
    """Refuses words where tokens are taken: what is a path for photos is a text there."""
    specs = {spec["name"]: spec for spec in input_specs(metadata)}
    given = x if isinstance(x, Mapping) else {next(iter(specs)): x}
    for name, value in given.items():
        parts = value if isinstance(value, list | tuple) else [value]
        if name not in specs or specs[name]["dtype"] not in _NUMBERS or not any(isinstance(p, str) for p in parts):
            continue
        if tokenizer is None:
            raise InputError(
                f"{name} is a text, the artifact takes the numbers of its tokens and keeps no tokenizer: give these, "
                "or compile it with its tokenizer, tokenizer=PATH, and use explain_text"
            )
        raise InputError(
            f"{name} is a text, the artifact takes the numbers of its tokens here: use explain_text, which reads texts"
        )
