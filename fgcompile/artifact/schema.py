"""The schema of metadata: every field's type and bounds, and what fields say of each other.

It is checked right behind the seal, before anything reads the metadata. The bounds lie far above what any network has,
and far below what would hurt whoever opens a file.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from fgcompile.artifact.fitting import INTERPOLATIONS, LARGEST, MODES, ROUNDINGS
from fgcompile.artifact.kinds import (
    Check,
    MalformedError,
    by_type,
    flag,
    mapping,
    number,
    one_of,
    optional,
    record,
    sequence,
    text,
    whole,
)
from fgcompile.artifact.names import CONTRIBUTIONS, DYNAMIC, EXPLAIN, LOGITS, RESIDUAL, SUFFIXES, TARGET, TARGETS
from fgcompile.artifact.signature import SIGNATURE, sign

DTYPES = (
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "float32", "float64"),
)
"""The dtypes of inputs and outputs: those of NumPy that runtimes have."""

LONGEST_TEXT = 64 * 2**20
"""Characters of an artifact's metadata, at most: a network of 10,000 layers and 20,000 classes has 3 million."""

LONGEST_TOKENIZER = 64 * 2**20
"""Bytes of an artifact's tokenizer, at most: those of 260,000 tokens have 33 million."""

_DEEPEST = 32
_INTEGER = 2**63 - 1
_ELEMENTS = 2**32

_size = by_type(int=whole(0, 2**40), str=text(200))
_example_size = whole(0, 2**40)
_shape = sequence(_size, 32)
_name = text(1000)
_short = text(100)

_numbers = sequence(whole(-_INTEGER, _INTEGER), 32)

_index = record(
    {"size": _size, "from_end": flag},
    {
        "part": sequence(whole(-_INTEGER, _INTEGER), 3, least=3),
        "offset": whole(-_INTEGER, _INTEGER),
        "ignored": whole(-_INTEGER - 1, _INTEGER),
    },
)
_tensor = record(
    {"name": _name, "dtype": one_of(*DTYPES), "shape": _shape},
    {
        "optional": flag,
        "example": sequence(_example_size, 32),
        "smallest": sequence(_example_size, 32),
        "largest": sequence(_example_size, 32),
        "indexes": sequence(_index, 1000),
    },
)
_site = record(
    {
        "name": _name,
        "kind": _name,
        "shape": _shape,
        "layout": text(10_000),
        "terms": sequence(record({"name": _name, "kind": _name}), 10_000),
    }
)
_lowering = record(
    {"operator": _name, "form": _name, "reason": text(10_000), "layers": sequence(text(10_000), 100_000, least=1)}
)

_argument = by_type(
    int=whole(-_INTEGER, _INTEGER), float=number(-1e30, 1e30), bool=flag, NoneType=optional(flag), list=_numbers
)
_scored = record({"name": _short, "arguments": mapping(_short, _argument, 100)})

_channel = number(-1e30, 1e30)
_fit = record(
    {"mode": one_of(*MODES), "interpolation": one_of(*INTERPOLATIONS)},
    {
        "resize": sequence(whole(1, LARGEST), 2, least=2),
        "fill": sequence(whole(0, 255), 3, least=3),
        "rounding": one_of(*ROUNDINGS),
    },
)
_FIELDS: dict[str, Check] = {
    "schema": whole(1, _INTEGER),
    "versions": mapping(_short, _short, 100),
    "model": record(
        {"name": _name, "parameter_digest": _short},
        {"explained": _name, "fixed": mapping(_name, number(-1e30, 1e30), 100), "weights": _short, "random": flag},
    ),
    "format": one_of(*SUFFIXES),
    "inputs": sequence(_tensor, 100_000, least=1),
    "outputs": sequence(_tensor, 100_000, least=1),
    "method": _short,
    "psi": _short,
    "rules": _short,
    "target": by_type(int=whole(0, _INTEGER), str=_short),
    "preprocess": optional(
        record(
            {"mean": sequence(_channel, 10_000, least=1), "std": sequence(number(1e-30, 1e30), 10_000, least=1)},
            {"order": one_of("rgb", "bgr"), "fit": _fit, "origin": text(1000)},
        )
    ),
    "labels": optional(sequence(text(10_000, least=0), 1_000_000)),
    "sites": sequence(_site, 100_000),
    "completeness": number(0, 1e30),
}
_OPTIONS: dict[str, Check] = {
    "batch": record({"size": whole(1, 2**31), "alone": flag}),
    "choice": text(10_000),
    "noise": optional(
        record({"samples": whole(1, _INTEGER), "spread": number(0, 1e30), "seed": whole(-_INTEGER - 1, 2**64 - 1)})
    ),
    "output": optional(by_type(int=whole(-_INTEGER, _INTEGER), str=_name)),
    "targets": by_type(int=whole(1, _INTEGER), str=one_of(DYNAMIC)),
    "target_axes": sequence(record({"name": _name, "size": by_type(int=whole(1, _INTEGER), str=_short)}), 32, least=1),
    "score": _name,
    "scored": _scored,
    "score_inputs": sequence(_name, 1000),
    "terms": _short,
    "biases": one_of("constants", "inputs"),
    "layouts": mapping(_name, text(10_000), 10_000),
    "on_demand": flag,
    "precision": _short,
    "lowerings": sequence(_lowering, 100_000),
    "device": _short,
    "tables": sequence(record({"name": _name, "size": whole(0, _INTEGER)}), 100_000),
    "tokenizer": record({"digest": _short}, {"longest": whole(1, _INTEGER)}),
    SIGNATURE: _short,
}
_METADATA = record(_FIELDS, _OPTIONS)


def check_metadata(metadata: Any) -> None:
    """Passes metadata, as JSON gave them, that are what ``Metadata`` says, within bounds.

    Raises:
        MalformedError: A field is missing, of another type or out of its bounds, or fields contradict each other.
    """
    _check_depth(metadata)
    _METADATA(metadata, "")
    inputs, outputs = ([spec["name"] for spec in metadata[key]] for key in ("inputs", "outputs"))
    _check_unique("inputs", inputs)
    _check_unique("outputs", outputs)
    for spec in (*metadata["inputs"], *metadata["outputs"]):
        _check_spec(spec)
    _check_own(metadata, inputs, outputs)
    _check_outputs(metadata)
    _check_channels(metadata)
    if SIGNATURE in metadata and metadata[SIGNATURE] != sign(metadata):
        raise MalformedError("its inputs, outputs or sites are not those that it was compiled with")


def target_form(metadata: Any) -> tuple[int | str, ...]:
    """The shape of what ``target`` holds for each sample: ``()``, ``(r,)``, ``(T,)`` or ``(T, r)``."""
    rank = len(metadata.get("target_axes", [1]))
    return (*_questions(metadata), *([rank] if rank > 1 else []))


def _questions(metadata: Any) -> list[int | str]:
    """The axis of several targets, in shapes."""
    count = metadata.get("targets")
    return [] if count is None else [TARGETS if count == DYNAMIC else count]


def _check_depth(value: Any) -> None:
    """Fields that nobody knows are kept: they may not be deeper than what prints them can follow."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            below
            for each in level
            if isinstance(each, dict | list)
            for below in (each.values() if isinstance(each, dict) else each)
            if isinstance(below, dict | list)
        ]
        if not level:
            return
    raise MalformedError(f"they are deeper than {_DEEPEST}")


def _check_unique(where: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise MalformedError(f"{where} has {name!r} twice")


def _check_spec(spec: Any) -> None:
    name, shape, example = spec["name"], spec["shape"], spec.get("example")
    if math.prod(size for size in example or shape if isinstance(size, int)) > _ELEMENTS:
        raise MalformedError(f"{name} has more elements than {_ELEMENTS}")
    for key in ("example", "smallest", "largest"):
        if key in spec and len(spec[key]) != len(shape):
            raise MalformedError(f"{name} has {key} sizes of another rank than its shape")
    if spec.get("optional") and not all(isinstance(size, int) for size in shape):
        raise MalformedError(f"{name} is optional, and of a size that is not known")
    for size in shape:  # "16*height" is a multiple of 16, "height // 2" what an output makes of it
        factor = size.partition("*")[0] if isinstance(size, str) else ""
        if factor.isdigit() and not (factor.isascii() and len(factor) < 13 and int(factor)):
            raise MalformedError(f"{name} has the size {size!r}, which is none")
    for axis in spec.get("indexes", []):
        along = axis["part"][0] if "part" in axis else 0
        if not spec["dtype"].startswith(("int", "uint")) or not 0 <= along < max(1, len(shape)):
            raise MalformedError(f"{name} has indexes that its dtype or its rank cannot have")


def _check_own(metadata: Any, inputs: list[str], outputs: list[str]) -> None:
    """The inputs that are not the model's, and what names an input from elsewhere."""
    by_name = {spec["name"]: spec for spec in metadata["inputs"]}
    for name, wanted, dtype in (
        (TARGET, metadata["target"] == "input", "int64"),
        (EXPLAIN, metadata.get("on_demand", False), "bool"),
    ):
        if wanted and (name not in by_name or by_name[name]["dtype"] != dtype):
            raise MalformedError(f"inputs lack {name!r} of {dtype}")
    _check_questions(metadata, by_name)
    own = {TARGET} if metadata["target"] == "input" else set()
    own |= {EXPLAIN} if metadata.get("on_demand") else set()
    if all(name in own or by_name[name].get("optional") for name in inputs):
        raise MalformedError("inputs have none that is the model's")
    if isinstance(metadata["target"], str) and metadata["target"] not in ("input", "predicted", "score"):
        raise MalformedError("target is neither a class, 'input', 'predicted' nor 'score'")
    if unknown := [name for name in metadata.get("score_inputs", []) if name not in inputs]:
        raise MalformedError(f"score_inputs names {unknown[0]!r}, which is no input")
    if metadata.get("on_demand") and LOGITS not in outputs:
        raise MalformedError("outputs lack the logits, without which nothing is on demand")
    sizes = {size for spec in metadata["inputs"] for size in spec["shape"] if isinstance(size, str)}
    for spec in metadata["inputs"]:
        for axis in spec.get("indexes", []):
            if isinstance(axis["size"], str) and axis["size"] not in sizes:
                raise MalformedError(f"{spec['name']} indexes {axis['size']!r}, which is no input's size")


def _check_questions(metadata: Any, by_name: Any) -> None:
    """The shape of the input that says what is explained."""
    count = metadata.get("targets")
    if count is not None and metadata["target"] not in ("input", *["predicted"] * (count != DYNAMIC)):
        raise MalformedError("there are several targets, and the target is one")
    if metadata["target"] != "input":
        if "target_axes" in metadata:
            raise MalformedError("target_axes are those of an input that it does not take")
        return
    form = target_form(metadata)
    if list(by_name[TARGET]["shape"][1:]) != list(form):
        raise MalformedError(f"the shape of {TARGET!r} is not that of the targets")


def _check_outputs(metadata: Any) -> None:
    """Shapes that the names of outputs say, and labels and classes that must be as many."""
    terms = sum(len(site["terms"]) for site in metadata["sites"])
    questions = _questions(metadata)
    for spec in metadata["outputs"]:
        shape = spec["shape"]
        if spec["name"] == RESIDUAL and shape[1:] != questions:
            raise MalformedError(f"{RESIDUAL} is not one number a sample")
        if spec["name"] == CONTRIBUTIONS and shape[1:] != [*questions, 1 + terms]:
            raise MalformedError(f"{CONTRIBUTIONS} has not one number for the input and each of {terms} terms")
        if spec["name"] != LOGITS or len(shape) != 2 or not isinstance(shape[1], int):
            continue
        labels, target = metadata["labels"], metadata["target"]
        if labels is not None and len(labels) != shape[1]:
            raise MalformedError(f"labels are {len(labels)} for {shape[1]} classes")
        if isinstance(target, int) and target >= shape[1]:
            raise MalformedError(f"target is {target}, and there are {shape[1]} classes")


def _check_channels(metadata: Any) -> None:
    """A photo's channels, which are the last axis of the first input, are those that are normalised."""
    preprocess = metadata["preprocess"]
    if preprocess is None:
        return
    photo = metadata["inputs"][0]
    channels = photo["shape"][-1] if len(photo["shape"]) == 4 else None
    if photo["dtype"] != "uint8" or not len(preprocess["mean"]) == len(preprocess["std"]) == channels:
        raise MalformedError("preprocess does not fit the channels of the first input")
