"""What an artifact accepts: every input and target is checked against its metadata before a runtime sees it.

Nothing is converted silently: a wrong dtype is refused with the conversion to write (``dtypes``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.dtypes import require_dtype
from fgcompile.artifact.metadata import BATCH, Metadata, TensorSpec, batch_axis
from fgcompile.artifact.names import EXPLAIN, TARGET
from fgcompile.artifact.questions import require_targets
from fgcompile.artifact.sizes import named_size
from fgcompile.errors import InputError
from fgcompile.system.text import visible

Array = NDArray[Any]


def input_specs(metadata: Metadata) -> list[TensorSpec]:
    """The specs of the model's and the score's inputs: without ``target``, ``explain`` and bias parameters."""
    own = ["target"] * (metadata["target"] == "input") + [EXPLAIN] * metadata.get("on_demand", False)
    return [spec for spec in metadata["inputs"] if not spec.get("optional") and spec["name"] not in own]


def takes_tokens(metadata: Metadata) -> bool:
    """Whether it takes the numbers of a text's tokens, as its inputs' names say, and nothing that no text says."""
    specs = input_specs(metadata)
    others = any(len(spec["shape"]) > 2 or "decoder" in spec["name"] for spec in specs)
    return not others and any("input_ids" in spec["name"] and spec["dtype"].startswith("int") for spec in specs)


def takes_target(metadata: Metadata) -> bool:
    """Whether there is an input ``target``: the forward pass alone, cut out of an artifact, has none any more."""
    return metadata["target"] == "input" and any(spec["name"] == TARGET for spec in metadata["inputs"])


def bias_specs(metadata: Metadata) -> list[TensorSpec]:
    """The specs of the bias parameters that the artifact takes."""
    return [spec for spec in metadata["inputs"] if spec.get("optional")]


def check_feeds(feeds: Mapping[str, Array], metadata: Metadata) -> dict[str, Array]:
    """The artifact's inputs by name as native code may read them, each checked against its spec but for NaN.

    Bias parameters and ``target`` may be left out.

    Raises:
        InputError: A name is missing or unknown; a wrong type, rank, size or dtype; an index or target out of range.
    """
    if not isinstance(feeds, Mapping):
        raise InputError(f"feeds is a {type(feeds).__name__}: give a mapping of the inputs' names to arrays")
    optional = [spec["name"] for spec in bias_specs(metadata)] + [TARGET] * takes_target(metadata)
    _check_names(feeds, [spec["name"] for spec in metadata["inputs"] if spec["name"] not in optional], optional)
    sizes: dict[str, tuple[str, int]] = {}
    given = [(feeds[spec["name"]], spec) for spec in metadata["inputs"] if spec["name"] in feeds]
    for array, spec in given:
        _check_kind(array, spec)
        _check_shape(array, spec, {} if spec.get("optional") else sizes)
    for array, spec in given:
        _check_indices(array, spec, {dimension: size for dimension, (_, size) in sizes.items()})
    if TARGET in feeds and takes_target(metadata):
        require_targets(feeds[TARGET], metadata, named_sizes(feeds, metadata))
    return {name: _plain(array) for name, array in feeds.items()}


def check_biases(biases: Mapping[str, Array], metadata: Metadata) -> dict[str, Array]:
    """The bias parameters by name, each checked against its spec.

    Raises:
        InputError: An unknown name, or a wrong type, rank, size or dtype; NaN or infinity.
    """
    specs = {spec["name"]: spec for spec in bias_specs(metadata)}
    if not isinstance(biases, Mapping):
        raise InputError(f"biases is a {type(biases).__name__}: give a mapping of their names to arrays")
    if biases and not specs:
        raise InputError("the artifact's biases are constants: compile it with biases='inputs'")
    _check_names(biases, [], list(specs))
    for name, array in biases.items():
        _check_kind(array, specs[name])
        _check_shape(array, specs[name], {})
        _check_finite(array, name)
    return {name: _plain(array) for name, array in biases.items()}


def check_inputs(x: Array | tuple[Array, ...] | Mapping[str, Array], metadata: Metadata) -> dict[str, Array]:
    """The inputs by name, contiguous, each checked against its spec.

    Args:
        x: An array, a tuple of arrays in the artifact's order, or a mapping of names to arrays.
        metadata: The artifact's.

    Raises:
        InputError: A wrong count, name, type, rank, size or dtype; NaN or infinity; differing dynamic sizes; an index
            out of range. Masks of booleans are taken where the input is of floating-point numbers.
    """
    specs = input_specs(metadata)
    names = [spec["name"] for spec in specs]
    if isinstance(x, Mapping):
        _check_names(x, names)
        arrays = dict(x)
    else:
        values = x if isinstance(x, tuple) else (x,)
        if len(values) != len(specs):
            raise InputError(f"{len(values)} inputs given, the artifact takes {len(specs)}: {', '.join(names)}")
        arrays = dict(zip(names, values, strict=True))
    sizes: dict[str, tuple[str, int]] = {}
    for spec in specs:
        array = arrays[spec["name"]] = _of_mask(arrays[spec["name"]], spec)
        _check_kind(array, spec)
        _check_shape(array, spec, sizes)
        _check_finite(array, spec["name"])
    for spec in specs:
        _check_indices(arrays[spec["name"]], spec, {dimension: size for dimension, (_, size) in sizes.items()})
    return {name: _plain(arrays[name]) for name in names}


def batch_size(inputs: Mapping[str, Array], metadata: Metadata) -> int:
    """The number of samples of checked inputs."""
    spec = input_specs(metadata)[0]
    return int(inputs[spec["name"]].shape[batch_axis(spec)])


def named_sizes(inputs: Mapping[str, Array], metadata: Metadata) -> dict[str, int]:
    """The dynamic sizes of checked inputs by name, that of the batch among them."""
    return dict(
        named_size(dimension, size)
        for spec in input_specs(metadata)
        for dimension, size in zip(spec["shape"], inputs[spec["name"]].shape, strict=True)
        if isinstance(dimension, str)
    )


def is_picture(value: object) -> bool:
    """Whether it is a picture of Pillow's or may be the path of one."""
    return isinstance(value, str | os.PathLike) or type(value).__module__.startswith("PIL.")


def has_pictures(x: object) -> bool:
    """Whether what a caller gives as input is a picture, pictures one after the other, or has such by name."""
    if isinstance(x, Mapping):
        return any(map(has_pictures, x.values()))
    several = x if isinstance(x, list | tuple) else [x]
    return bool(several) and all(map(is_picture, several))


def _of_mask(array: Array, spec: TensorSpec) -> Array:
    """A mask as the zeros and ones that it stands for, where the input is of floating-point numbers."""
    mask = isinstance(array, np.ndarray) and array.dtype == np.bool_ and spec["dtype"].startswith("float")
    return array.astype(spec["dtype"]) if mask else array


def _plain(array: Array) -> Array:
    """The array as native code reads it: of no subclass, its elements in order and aligned; itself where it is so."""
    plain = np.asarray(array, order="C")
    return plain if plain.flags.aligned else plain.copy()


def _check_names(given: Iterable[str], wanted: Sequence[str], optional: Sequence[str] = ()) -> None:
    given, known = list(given), [*wanted, *optional]
    problems = [
        f"{problem} input {', '.join(names)}"
        for problem, names in (
            ("missing", [name for name in wanted if name not in given]),
            ("unknown", [visible(str(name)) for name in given if name not in known]),
        )
        if names
    ]
    if problems:
        raise InputError(f"{', '.join(problems)}: the artifact takes {', '.join(known)}")


def _check_kind(array: Array, spec: TensorSpec) -> None:
    if is_picture(array) and spec["dtype"] == "uint8" and len(spec["shape"]) == 4:
        raise InputError(
            f"{spec['name']} is a {type(array).__name__}, not a NumPy array: use fgcompile.read_photos(session, path)"
        )
    require_dtype(array, spec)


def _check_shape(array: Array, spec: TensorSpec, sizes: dict[str, tuple[str, int]]) -> None:
    """Checks one input's shape; ``sizes`` collects each dynamic dimension's first owner and size."""
    name, shape = spec["name"], spec["shape"]
    expected = f"{name} has shape {array.shape}, the artifact takes ({', '.join(map(str, shape))})"
    if array.ndim != len(shape):
        sample = [size for axis, size in enumerate(shape) if axis != batch_axis(spec)]
        one_sample = array.ndim == len(sample) and all(
            wanted in (size, str(wanted)) for size, wanted in zip(array.shape, sample, strict=True)
        )
        added = f"{name}[{':, ' * batch_axis(spec)}np.newaxis]"
        advice = f"add the batch axis, {added}" if one_sample else f"give an array of rank {len(shape)}"
        raise InputError(f"{expected}: {advice}")
    for axis, (size, dimension) in enumerate(zip(array.shape, shape, strict=True)):
        if isinstance(dimension, int):
            if size != dimension:
                moved = _channels_moved(array, spec)
                raise InputError(f"{expected}: axis {axis} must be {dimension}, not {size}{moved}")
            continue
        if size < 1:
            raise InputError(f"{expected}: axis {axis} ({dimension}) is empty, give at least 1")
        factor = dimension.partition("*")[0]
        if factor.isdigit() and size % int(factor):
            raise InputError(f"{expected}: axis {axis} must be a multiple of {factor}, not {size}")
        least = spec.get("smallest", shape)[axis]
        if dimension != BATCH and isinstance(least, int) and size < least:
            raise InputError(
                f"{expected}: axis {axis} must be at least {least}, not {size}: below it a layer of the model has a "
                "single place or none; enlarge it, or compile for this size without dynamic_sizes"
            )
        most = spec.get("largest", shape)[axis]
        if dimension != BATCH and isinstance(most, int) and size > most:
            raise InputError(
                f"{expected}: axis {axis} must be at most {most}, not {size}: the model's positions end there; "
                "shorten it, or give it by parts"
            )
        owner, first = sizes.setdefault(dimension, (name, size))
        if size != first:
            raise InputError(f"{name} has {dimension} {size}, {owner} has {first}: give both the same {dimension}")


def _channels_moved(array: Array, spec: TensorSpec) -> str:
    """What else to do with images whose channels alone are at the wrong place."""
    for source, to in ((1, -1), (-1, 1)) if array.ndim == 4 else ():
        shape = np.moveaxis(array, source, to).shape
        fits = all(isinstance(wanted, str) or size == wanted for size, wanted in zip(shape, spec["shape"], strict=True))
        if fits:
            return f"; move its channels, np.moveaxis({spec['name']}, {source}, {to})"
    return ""


def _check_indices(array: Array, spec: TensorSpec, sizes: Mapping[str, int]) -> None:
    """Checks that integers lie within every axis that they index; ``sizes`` are those of the dynamic dimensions."""
    for axis in spec.get("indexes", []):
        size = sizes[axis["size"]] if isinstance(axis["size"], str) else axis["size"]
        offset = axis.get("offset", 0)
        first, last = (-size if axis["from_end"] else 0) - offset, size - 1 - offset
        wrong = (array < first) | (array > last)
        if "ignored" in axis:
            wrong &= array != axis["ignored"]
        if "part" in axis:
            along, start, end = axis["part"]
            positions = np.arange(array.shape[along])
            inside = (positions >= start) & (positions < end)
            wrong &= inside.reshape([-1] + [1] * (array.ndim - 1 - along))
        if wrong.any():
            place = tuple(map(int, np.unravel_index(np.argmax(wrong), array.shape)))
            negative = f", or {-1 - offset} to {first} from the end" if axis["from_end"] else ""
            raise InputError(
                f"{spec['name']} has {array[place]} at index {place}, out of range: give {-offset} to {last}{negative}"
            )


def _check_finite(array: Array, name: str) -> None:
    if array.dtype.kind != "f":
        return
    finite = np.isfinite(array)
    if not finite.all():
        first = tuple(map(int, np.unravel_index(np.argmin(finite), array.shape)))
        count = array.size - np.count_nonzero(finite)
        value = f"{count} {'value that is' if count == 1 else 'values that are'} NaN or infinite"
        raise InputError(f"{name} has {value}, the first at index {first}: replace or drop them")
