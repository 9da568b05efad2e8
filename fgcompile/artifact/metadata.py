"""What an artifact says of itself: the layout of its metadata, and their text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from fgcompile.artifact.kinds import MalformedError
from fgcompile.artifact.schema import LONGEST_TEXT, check_metadata
from fgcompile.errors import ArtifactError

SCHEMA_VERSION = 1
"""The metadata layout that this version writes, and the newest that it reads."""


class Versions(TypedDict):
    """The packages that compiled the artifact."""

    fgcompile: str
    torch: str
    onnx: str


class _ModelOptions(TypedDict, total=False):
    explained: str
    fixed: dict[str, float]
    weights: str
    random: bool


class ModelSpec(_ModelOptions):
    """The compiled model: class or file, ``sha256:…`` over its parameters; of a file what is explained and fixed.

    ``weights`` is the dtype that it has them in where the artifact computes in another: ``"bfloat16"``. ``random`` says
    that its source made it without trained ones.
    """

    name: str
    parameter_digest: str


class _AxisIndexOptions(TypedDict, total=False):
    part: list[int]
    offset: int
    ignored: int


class AxisIndex(_AxisIndexOptions):
    """An axis that an input's integers index: its size, and whether negative ones count from its end.

    ``part`` is the part of the input that does, where it is not all of it: ``[axis, start, end]``.
    """

    size: int | str
    from_end: bool


class _SpecOptions(TypedDict, total=False):
    optional: bool
    example: list[int]
    smallest: list[int]
    largest: list[int]
    indexes: list[AxisIndex]


class TensorSpec(_SpecOptions):
    """Input or output, e.g. ``{"name": "x", "dtype": "float32", "shape": ["batch", 3]}``; a name is a dynamic size.

    ``"16*height"`` is a multiple of 16. ``optional`` inputs are bias parameters, which have their trained values as
    defaults. ``example`` is the shape of one sample that the model was compiled with, where its size is dynamic too.
    ``smallest`` are the least sizes that are taken: at smaller ones a layer has another layout, or the model fails.
    ``largest`` are the greatest, where a table of positions ends. Either has numbers for all axes, of which those of
    dynamic sizes beside the batch count.
    ``indexes`` are the axes that an input's integers index, by their sizes: ``[{"size": 30, "from_end": true}]`` allows
    −30 to 29, and a size by name is that of an input's axis. Values out of range are refused; ``offset`` is added to a
    value before it is the index, and one that is ``ignored`` is none.
    """

    name: str
    dtype: str
    shape: list[int | str]


BATCH = "batch"
"""The name of the batch's size in a shape."""


def batch_axis(spec: TensorSpec) -> int:
    """The axis of an input's samples: the first, but where layouts said otherwise."""
    return spec["shape"].index(BATCH) if BATCH in spec["shape"] else 0


def has_random_weights(metadata: Metadata) -> bool:
    """Whether the model is known to be untrained, so that no map says anything of what it is for."""
    return metadata["model"].get("random", False)


def fixed_batch(metadata: Metadata) -> int | None:
    """The number of samples that the artifact's program takes in a call; None for any."""
    return metadata["batch"]["size"] if "batch" in metadata else None


def stated_shape(spec: TensorSpec, metadata: Metadata) -> list[int | str]:
    """A tensor's shape as the artifact's program has it: with the number where the batch is one."""
    batch = fixed_batch(metadata)
    return [batch if size == BATCH and batch is not None else size for size in spec["shape"]]


class _FitOptions(TypedDict, total=False):
    resize: list[int]
    fill: list[int]
    rounding: str


class FitSpec(_FitOptions):
    """How pictures of other sizes become the artifact's, as ``fgcompile.artifact.fitting.Fit`` describes it."""

    mode: str
    interpolation: str


class _PreprocessOptions(TypedDict, total=False):
    order: str
    fit: FitSpec
    origin: str


class PreprocessSpec(_PreprocessOptions):
    """The normalisation folded in front of the model, per channel of the model's, on the scale where white is 1.

    ``order`` is "bgr" where the model takes blue first; the artifact takes red first all the same. ``fit`` is what is
    done to pictures before they are given to the artifact, and ``origin`` says who said all this, if not the user.
    """

    mean: list[float]
    std: list[float]


class NoiseSpec(TypedDict):
    """The noisy copies of ``smooth_fullgrad``."""

    samples: int
    spread: float
    seed: int


class Term(TypedDict):
    """One bias term of a site."""

    name: str
    kind: str


class SiteSpec(TypedDict):
    """A site of bias terms, as ``fgcompile.compiler.ir.programs.Site`` describes it."""

    name: str
    kind: str
    shape: list[int | str]
    layout: str
    terms: list[Term]


class Lowering(TypedDict):
    """What an operator's backward became, why, and the layers for which it did."""

    operator: str
    form: str
    reason: str
    layers: list[str]


class _TokenizerOptions(TypedDict, total=False):
    longest: int


class TokenizerSpec(_TokenizerOptions):
    """The tokenizer beside the metadata: ``sha256:…`` of its JSON, and the most tokens that it says a text may have."""

    digest: str


class TargetAxis(TypedDict):
    """An axis of the explained output that ``target`` indexes."""

    name: str
    size: int | str


class ScoredSpec(TypedDict):
    """One of ``fgcompile.scores``, and its arguments that are not the default: numbers, truths, lists of numbers."""

    name: str
    arguments: dict[str, Any]


class BatchSpec(TypedDict):
    """The batch that an artifact is for: ``size`` samples a call, of whatever is ``"batch"`` in shapes.

    With ``alone`` the model takes no free batch, and was captured for one sample, of which the artifact has as many.
    """

    size: int
    alone: bool


class TableSpec(TypedDict):
    """A table that a layer reads at what it computes of the inputs."""

    name: str
    size: int


class _MetadataOptions(TypedDict, total=False):
    batch: BatchSpec
    choice: str
    targets: int | str
    target_axes: list[TargetAxis]
    score: str
    scored: ScoredSpec
    noise: NoiseSpec | None
    output: int | str | None
    score_inputs: list[str]
    terms: str
    biases: str
    layouts: dict[str, str]
    on_demand: bool
    precision: str
    lowerings: list[Lowering]
    device: str
    tables: list[TableSpec]
    tokenizer: TokenizerSpec
    signature: str


class Metadata(_MetadataOptions):
    """What an artifact says of itself.

    ``format`` is "onnx", "torchscript", "pt2" or "exported"; ``batch`` is there where the program is for one number of
    samples, which shapes call ``"batch"`` all the same; ``target`` is "input" (the artifact takes it), a class,
    "predicted" or "score" (a callable traced into the graph, with the inputs ``score_inputs``); ``targets`` is how many
    elements of the output one call explains, where it has an axis of them, or "dynamic" where any number, and
    ``target_axes`` what the indices of one in the input ``target`` are; ``output`` names the
    explained one of several outputs; ``choice`` says why ``rules`` and ``psi`` are not the paper's, where the compiler
    chose them; ``terms`` is "all", or "parameters" where the map leaves out what is no bias of
    the model's own; ``biases`` is "constants" or "inputs"; ``layouts`` are those given by hand;
    with ``on_demand`` there is an input ``explain``, and every output but the logits is empty where that is false;
    ``score`` is what that callable is called, with the labels of its classes, and ``scored``, where it is one of
    ``fgcompile.scores``, what makes it again;
    ``device`` is the one that a ``.pt2`` was compiled for; ``tables`` are read at what is computed of the inputs'
    values, as positions that count a text's words, and have ``size`` places; ``tokenizer`` is there where the artifact
    keeps one, and so takes texts; ``signature`` is a digest of inputs, outputs and sites, which the programs of
    TorchScript and ``.pt2`` carry too; ``completeness`` is the relative error measured when compiling.
    """

    schema: int
    versions: Versions
    model: ModelSpec
    format: str
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    method: str
    psi: str
    rules: str
    target: int | str
    preprocess: PreprocessSpec | None
    labels: list[str] | None
    sites: list[SiteSpec]
    completeness: float


def dumps(metadata: Mapping[str, object]) -> str:
    """The metadata as canonical JSON: sorted keys, no spaces, ASCII; equal metadata give equal text.

    Raises:
        ValueError: A number is NaN or infinite, which JSON does not have.
    """
    return json.dumps(metadata, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def loads(text: str, path: str | Path) -> Metadata:
    """The metadata from their JSON text, once they are what ``Metadata`` says; ``path`` is for messages.

    Raises:
        ArtifactError: The schema is newer than this version's, or the text is not metadata.
    """
    if len(text) > LONGEST_TEXT:
        raise ArtifactError(f"{path}: its metadata are longer than {LONGEST_TEXT} characters: compile it again")
    try:
        metadata = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ArtifactError(f"{path}: its metadata are not JSON (nested too deep): compile it again") from error
    except ValueError as error:
        raise ArtifactError(
            f"{path}: its metadata are not JSON ({ascii(str(error))[1:-1]}): compile it again"
        ) from error
    # The schema first: of a newer one nobody knows what else it has, so that nothing behind it may be found wanting
    # before that is said.
    schema = metadata.get("schema") if isinstance(metadata, dict) else None
    if type(schema) is not int or schema < 1:
        raise ArtifactError(f"{path}: its metadata name no schema: compile it again")
    if schema > SCHEMA_VERSION:
        raise ArtifactError(
            f"{path}: made by a newer fgcompile (schema {str(schema)[:20]}, this reads up to {SCHEMA_VERSION}): upgrade"
        )
    if missing := sorted(Metadata.__required_keys__ - metadata.keys()):
        raise ArtifactError(f"{path}: its metadata lack {', '.join(missing)}: compile it again")
    try:
        check_metadata(metadata)
    except MalformedError as error:
        raise ArtifactError(f"{path}: its metadata are malformed ({error}): compile it again") from error
    return cast(Metadata, metadata)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of two entries of one name, readers take whichever they like."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a name twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON's")
