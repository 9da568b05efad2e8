"""One artifact from a source: what ``fgcompile compile`` does once its options are read."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from fgcompile.artifact.metadata import Metadata
from fgcompile.cli.arguments import DEFAULT_INPUT, InputShape, require_no_class
from fgcompile.cli.models import preset_of, random_weights, seeded_model
from fgcompile.cli.pictures import Wanted, preprocess_of, shapes_of
from fgcompile.cli.presets.preset import Preset
from fgcompile.cli.score_names import NamedScore
from fgcompile.cli.source_names import LIBRARIES, SourceName
from fgcompile.errors import CaptureWarning
from fgcompile.system.files import make_directory


@dataclass(frozen=True)
class Job:
    """What is to be compiled, every option read and none of it built.

    Attributes:
        source: The model.
        output: Where the artifact goes.
        weights: A file of them.
        bare: Whether nothing but the network is taken of the source.
        shapes: Of the inputs, where given.
        fixed: Inputs of a file that are constants.
        explained: Which output, or tensor of a file.
        layouts: How axes lie.
        pictures: What is said of them.
        labels: The classes' names, where given.
        labels_file: Where they stood.
        tokenizer: The path, where given.
        dynamic_sizes: None for texts alone.
        target: A class, by number or name, ``"predicted"``, or what makes a score, which takes torch; None for the
            default.
        target_text: As it was given.
        options: The rest, by the compiler's names.
    """

    source: SourceName
    output: Path
    weights: Path | None
    bare: bool
    shapes: Sequence[InputShape]
    fixed: Mapping[str, float]
    explained: str | int | None
    layouts: Mapping[str, str]
    pictures: Wanted
    labels: Sequence[str] | None
    labels_file: Path | None
    tokenizer: Path | None
    dynamic_sizes: bool | None
    target: int | str | Callable[[], Any] | None
    target_text: str | None
    options: Mapping[str, Any]


def build(job: Job, report: Callable[[str], None]) -> Preset | None:
    """Compiles and writes it; what was taken of the source, where it says anything.

    Raises:
        FgcompileError: As ``fgcompile.compile``.
    """
    report("load")
    from fgcompile import compile
    from fgcompile.cli.configured import configured_shapes, takes_text
    from fgcompile.cli.examples import example_inputs, is_assumed
    from fgcompile.cli.tokenizer import find_tokenizer, left_beside
    from fgcompile.compiler.sources import RANDOM_WEIGHTS

    source, outputs = job.source.text, job.options["outputs"]
    model = seeded_model(source, job.weights, job.explained, job.fixed, "model" in outputs)
    setattr(model, RANDOM_WEIGHTS, random_weights(job.source, job.weights, model))
    preset = preset_of(job.source, job.weights, model, job.bare)
    dynamic = job.dynamic_sizes
    if dynamic is None:
        dynamic = not job.shapes and takes_text(configured_shapes(model))
    shapes = shapes_of(job.shapes, preset, model) or configured_shapes(model)
    tokenizer = find_tokenizer(job.tokenizer, source, model, shapes)
    if is_assumed(model, shapes) and job.source.scheme not in LIBRARIES:
        warnings.warn(
            f"nothing says of what size the model's input is: {DEFAULT_INPUT} is taken; give its own, --input CxHxW",
            CaptureWarning,
            stacklevel=2,
        )
    examples = example_inputs(model, shapes, job.layouts)
    preprocess, preset = preprocess_of(job.pictures, preset, examples)
    artifact = compile(
        model,
        examples,
        target=job.target() if callable(job.target) else job.target,
        output=job.explained,
        layouts=job.layouts,
        preprocess=preprocess,
        dynamic_sizes=dynamic,
        labels=job.labels,
        tokenizer=tokenizer,
        progress=report,
        **job.options,
    )
    named = artifact.metadata["labels"]
    if job.target_text is not None and callable(job.target):
        require_no_class(job.target_text, named)
        if isinstance(job.target, NamedScore):
            job.target.require_no_class(named or ())
    make_directory(job.output.parent)
    artifact.save(job.output)
    if preset is not None and job.labels is None and preset.labels is not None and named is None:
        why = f"names of {len(preset.labels)} classes: {_sizes(cast(Metadata, artifact.metadata))}; --labels names them"
        preset = replace(preset, left_out=(*preset.left_out, why))
    return preset if tokenizer is not None else _with_left(preset, left_beside(source))


def _sizes(metadata: Metadata) -> str:
    """How many classes a model has."""
    from fgcompile.artifact.elements import output_axes

    sizes = [str(axis["size"]) for axis in output_axes(metadata)]
    return f"the model has {sizes[0]}" if len(sizes) == 1 else f"the model's output is (N, {', '.join(sizes)})"


def _with_left(preset: Preset | None, tokenizer: Path | None) -> Preset | None:
    """What was read of the source, and that a tokenizer lies there which the artifact does not keep."""
    if tokenizer is None:
        return preset
    why = f"{tokenizer.name}, so that it takes ids and no texts: --tokenizer {tokenizer} keeps it"
    preset = preset or Preset(tokenizer.parent.resolve().name)
    return replace(preset, left_out=(*preset.left_out, why))
