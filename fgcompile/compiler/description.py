"""What an artifact says of itself: versions, model, inputs and outputs, options, sites and measured completeness."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from torch import Tensor

from fgcompile._version import __version__
from fgcompile.artifact.file import digest_of
from fgcompile.artifact.kinds import MalformedError
from fgcompile.artifact.metadata import SCHEMA_VERSION, Metadata, PreprocessSpec, fixed_batch
from fgcompile.artifact.schema import check_metadata
from fgcompile.artifact.signature import SIGNATURE, sign
from fgcompile.compiler.ir.annotations import read_choices
from fgcompile.compiler.ir.fixed_batch import is_alone
from fgcompile.compiler.ir.programs import CapturedProgram, FusedProgram, ValueSpec
from fgcompile.compiler.ir.sizes import SPACE, describe, dimension_names
from fgcompile.compiler.ir.widened import in_pieces
from fgcompile.compiler.labels import describe_score, fitting_labels
from fgcompile.compiler.request import Format, Noise, Order, Precision, Preprocess, Request, Targets, Terms, numbers_of
from fgcompile.errors import InputError
from fgcompile.text.model import require_texts


def describe_program(
    captured: CapturedProgram,
    program: FusedProgram,
    request: Request,
    completeness: float,
) -> dict[str, Any]:
    """The metadata of an artifact (the layout of ``fgcompile.artifact.metadata.Metadata``)."""
    smooth = request.method == "smooth_fullgrad"
    metadata: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "versions": {
            "fgcompile": __version__,
            **{package: importlib.metadata.version(package) for package in ("torch", "onnx", "onnxscript")},
        },
        "model": {
            "name": captured.name,
            "parameter_digest": parameter_digest(captured),
            **({} if captured.explained is None else {"explained": captured.explained}),
            **({"fixed": dict(captured.fixed)} if captured.fixed else {}),
            **({} if captured.weights is None else {"weights": captured.weights}),
            **({"random": True} if captured.random else {}),
        },
        "format": request.format,
        "inputs": _input_specs(captured, program),
        "outputs": [_spec(spec) for spec in program.outputs],
        **_batch(captured, program),
        **({"tables": [{"name": name, "size": size} for name, size in captured.tables]} if captured.tables else {}),
        "method": request.method,
        "noise": dataclasses.asdict(request.copies) if smooth else None,
        "psi": request.psi,
        "rules": request.rules,
        **({} if captured.choice is None else {"choice": captured.choice}),
        "terms": request.terms,
        "target": "input" if request.target is None else ("score" if callable(request.target) else request.target),
        **describe_score(request.score, fitting_labels(captured, request)),
        **_questions(captured, program),
        "output": request.output,
        "score_inputs": list(captured.score_inputs),
        "biases": request.biases,
        "on_demand": program.on_demand,
        "precision": request.precision,
        "layouts": dict(request.layouts),
        "preprocess": _preprocess(request),
        "labels": None if request.labels is None else list(request.labels),
        "sites": [
            {
                "name": site.name,
                "kind": site.kind,
                "shape": list(site.shape),
                "layout": site.layout,
                "terms": [{"name": term.name, "kind": term.kind} for term in site.terms],
            }
            for site in program.sites
        ],
        "lowerings": [
            {**dataclasses.asdict(choice), "layers": layers}
            for choice, layers in read_choices(program.graph_module).items()
        ],
        "completeness": float(f"{completeness:.1e}"),
        **({"device": request.device} if request.format == "pt2" else {}),
        **_tokenizer(request),
    }
    metadata[SIGNATURE] = sign(metadata)
    try:
        check_metadata(metadata)  # so that no artifact is made that its reader would refuse
    except MalformedError as error:
        raise InputError(
            f"the artifact's metadata would be refused ({error}): rename or change what it names"
        ) from error
    if request.tokenizer is not None:
        require_texts(cast(Metadata, metadata), request.tokenizer)
    return metadata


def _batch(captured: CapturedProgram, program: FusedProgram) -> dict[str, Any]:
    """How many samples a call has, where that is one number, and why."""
    if program.batch is None:
        return {}
    return {"batch": {"size": program.batch, "alone": is_alone(captured.graph_module.graph)}}


def _preprocess(request: Request) -> dict[str, Any] | None:
    """What is done to a photo, in front of the model and before."""
    given = request.preprocess
    if given is None:
        return None
    return {
        "mean": list(numbers_of(given.mean)),
        "std": list(numbers_of(given.std)),
        **({} if given.order == "rgb" else {"order": given.order}),
        **({} if given.fit is None else {"fit": given.fit.as_dict()}),
        **({} if given.origin is None else {"origin": given.origin}),
    }


def _tokenizer(request: Request) -> dict[str, Any]:
    """What is said of the tokenizer that the artifact keeps."""
    kept = request.tokenizer
    if kept is None:
        return {}
    longest = {} if kept.longest is None else {"longest": kept.longest}
    return {"tokenizer": {"digest": digest_of(kept.text.encode()), **longest}}


def _questions(captured: CapturedProgram, program: FusedProgram) -> dict[str, Any]:
    """How many targets a call has, and what each index of one is."""
    described: dict[str, Any] = {} if program.questions is None else {"targets": program.questions}
    if not program.asked:
        return described
    named = zip(_axis_names(program), program.asked, strict=True)
    return described | {"target_axes": [{"name": name, "size": size} for name, size in named]}


def _axis_names(program: FusedProgram) -> list[str]:
    """What the indices of a target are, as far as sizes tell: a class, and a place of the map."""
    if len(program.asked) == 1:
        return ["class"]
    names = [f"axis_{number}" for number, _ in enumerate(program.asked, start=1)]
    for space in (spec.shape[-len(names) + 1 :] for spec in program.outputs if spec.name == "saliency"):
        places = SPACE.get(len(space), ())
        front, behind = _lies_over(program.asked[1:], space), _lies_over(program.asked[:-1], space)
        if front != behind and len(places) == len(space):  # (N, K, H, W) of an image, (N, L, K) of a sequence
            return ["class", *places] if front else [*places, "class"]
    return names


def _lies_over(axes: Sequence[int | str], space: Sequence[int | str]) -> bool:
    """Whether axes are those of the map, or in two dimensions and more a grid over it with equal strides."""
    if tuple(axes) == tuple(space):
        return True
    strides = {
        divmod(whole, size) if isinstance(size, int) and isinstance(whole, int) and size > 1 else None
        for size, whole in zip(axes, space, strict=False)
    }
    return len(axes) == len(space) > 1 and len(strides) == 1 and (strides.pop() or (0, 1))[1] == 0


def read_request(metadata: Metadata, score: Callable[..., Tensor] | None = None) -> Request:
    """What an artifact was asked to compute; a score that was a function is not in it, and has to be given."""
    preprocess, noise, target = metadata["preprocess"], metadata.get("noise"), metadata["target"]
    named: dict[str, Any] = {name: metadata[name] for name in ("method", "psi", "rules")}
    return Request(
        **named,
        target=score or (None if target == "input" else target),
        targets=cast(Targets, metadata.get("targets")),
        terms=cast(Terms, metadata.get("terms", "all")),
        output=metadata.get("output"),
        noise=None if noise is None else Noise(**noise),
        layouts=metadata.get("layouts", {}),
        format=cast(Format, metadata["format"]),
        precision=cast(Precision, metadata.get("precision", "float32")),
        batch=fixed_batch(metadata),
        preprocess=None if preprocess is None else _read_preprocess(preprocess),
    )


def _read_preprocess(spec: PreprocessSpec) -> Preprocess:
    return Preprocess(tuple(spec["mean"]), tuple(spec["std"]), order=cast(Order, spec.get("order", "rgb")))


def _input_specs(captured: CapturedProgram, program: FusedProgram) -> list[dict[str, Any]]:
    """The specs of the artifact's inputs; those of integers that index an axis say which.

    The model's and the score's inputs come first, in the captured order; captured, each has its batch in front.
    """
    specs = [_spec(spec) for spec in program.artifact_inputs]

    def own_axis(position: int, axis: int) -> int:
        moved = captured.batch_axes[position] if position < len(captured.batch_axes) else 0
        return moved if axis == 0 else axis - (axis <= moved)

    for position, (spec, axes) in enumerate(zip(specs, captured.indexed, strict=False)):
        indexes = [
            {
                "size": axis.size if isinstance(axis.size, int) else specs[axis.size[0]]["shape"][own_axis(*axis.size)],
                "from_end": axis.from_end,
                **({} if axis.part is None else {"part": [own_axis(position, axis.part[0]), *axis.part[1:]]}),
                **({} if axis.offset == 0 else {"offset": axis.offset}),
                **({} if axis.ignored is None else {"ignored": axis.ignored}),
            }
            for axis in axes
        ]
        if indexes:
            spec["indexes"] = indexes
    longest = _longest(captured)
    for spec in specs:
        if longest.keys() & set(spec["shape"]):
            spec["largest"] = [longest.get(*pair) for pair in zip(spec["shape"], spec["example"], strict=True)]
    return specs


def _longest(captured: CapturedProgram) -> dict[Any, int]:
    """The largest dynamic sizes, by their names in the specs; of two inputs that share one the smaller."""
    values = [node.meta["val"] for node in captured.graph_module.graph.find_nodes(op="placeholder")]
    names = dimension_names(values[: len(captured.inputs)])
    found: dict[Any, int] = {}
    for value, longest in zip(values[: len(captured.inputs)], captured.longest, strict=False):
        shape = describe(value, names)
        for axis, size in longest.items():
            found[shape[axis]] = min(size, found.get(shape[axis], size))
    return found


def _spec(spec: ValueSpec) -> dict[str, Any]:
    described = {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}
    if spec.example is not None:
        described["example"] = list(spec.example)
    if spec.smallest is not None:
        described["smallest"] = list(spec.smallest)
    return described if spec.default is None else {**described, "optional": True}


def parameter_digest(captured: CapturedProgram) -> str:
    """SHA-256 over the parameters and buffers that the graph uses, by name, shape and value."""
    digest = hashlib.sha256()
    for name, value in sorted(captured.graph_module.named_buffers()):
        digest.update(f"{name}{tuple(value.shape)}".encode())
        for piece in in_pieces(value.detach()):
            digest.update(piece.cpu().numpy().view(np.uint8).data)
    return f"sha256:{digest.hexdigest()}"
