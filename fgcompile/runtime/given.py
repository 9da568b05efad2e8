"""What a caller gives for an artifact's inputs, in NumPy's arrays: tensors, pictures where it takes photos; no text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.validation import Array, check_inputs, has_pictures, input_specs
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
    if has_pictures(x):
        _require_no_text(x, metadata, tokenizer)
        from fgcompile.pictures.given import with_photos

        x = with_photos(x, metadata)
    return as_arrays(x)


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
