"""What an artifact is to return: the eager outputs, with the terms grouped as the artifact's sites group them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fgcompile.artifact.metadata import Metadata
from fgcompile.compiler.fullgrad.aggregation import bias_gradient
from fgcompile.compiler.fullgrad.eager import evaluate
from fgcompile.compiler.fullgrad.outputs import explanation_outputs, side_by_side
from fgcompile.compiler.fullgrad.terms import FullGradient, SiteValue
from fgcompile.compiler.ir.fixed_batch import is_alone
from fgcompile.compiler.ir.programs import BiasedProgram, FusedProgram, Shape
from fgcompile.compiler.ir.sizes import samples_axis
from fgcompile.compiler.request import Request


@dataclass(frozen=True)
class Returned:
    """What is an artifact's own of its outputs.

    Attributes:
        sites: The names of each site's terms, in the order of its contributions.
        axes: The axes of its outputs' samples, where these are not in front.
        questions: Whether it explains several targets at once, with an axis of them behind the batch.
    """

    sites: Mapping[str, Sequence[str]]
    axes: Mapping[str, int]
    questions: bool = False


def returned_by(program: FusedProgram) -> Returned:
    """What a program returns."""
    sites = {site.name: [term.name for term in site.terms] for site in program.sites}
    axes = _axes({spec.name: spec.shape for spec in program.outputs})
    return Returned(sites, axes, program.questions is not None)


def returned_as(metadata: Metadata) -> Returned:
    """What an artifact returns, by its metadata."""
    sites = {site["name"]: [term["name"] for term in site["terms"]] for site in metadata["sites"]}
    axes = _axes({spec["name"]: tuple(spec["shape"]) for spec in metadata["outputs"]})
    return Returned(sites, axes, metadata.get("targets") is not None)


def _axes(shapes: Mapping[str, Shape]) -> dict[str, int]:
    return {name: axis for name, shape in shapes.items() if (axis := samples_axis(shape))}


def expected_outputs(
    exposed: BiasedProgram, request: Request, inputs: Sequence[Tensor], chosen: Tensor, returned: Returned
) -> tuple[dict[str, Tensor], Tensor]:
    """The eager outputs in the program's dtype, contributions among them, and the scores.

    With noisy copies sample by sample, which takes half the memory: ``docs/decisions/smooth-checks.md``; as are those
    of a graph of one sample.
    """
    request = replace(request, outputs=tuple(dict.fromkeys((*request.outputs, "contributions"))))
    dtype = _dtype_of(exposed)
    apart = request.method == "smooth_fullgrad" or is_alone(exposed.graph_module.graph)
    step = 1 if apart else len(chosen)
    own = zip(inputs, (*exposed.batch_axes, *[0] * len(inputs)), strict=False)
    split = [torch.split(value, step, axis) for value, axis in own]
    parts, scores = [], []
    for classes, *given in zip(torch.split(chosen, step), *split, strict=True):
        results = evaluate(exposed, request, given, classes, dtype)
        alone = replace(request, targets=None)
        each = [_regroup(returned.sites, explanation_outputs([result], alone), result) for result in results]
        score = [result.score.detach() for result in results]
        parts.append(side_by_side(each, results[0]) if returned.questions else each[0])
        scores.append(torch.stack(score, 1) if returned.questions else score[0])
    joined = {name: torch.cat([part[name] for part in parts], returned.axes.get(name, 0)) for name in parts[0]}
    return joined, torch.cat(scores)


def _dtype_of(exposed: BiasedProgram) -> torch.dtype:
    """The floating-point dtype that a program computes in."""
    values = (*exposed.biases.values(), *exposed.graph_module.buffers())
    return next((value.dtype for value in values if value.is_floating_point()), torch.float64)


def _regroup(
    sites: Mapping[str, Sequence[str]], outputs: Mapping[str, Tensor], result: FullGradient
) -> dict[str, Tensor]:
    """The eager outputs by the sites of a folded program, some of which carry the terms of two eager sites."""
    # Folding puts a BatchNorm's term at its convolution's site, so terms stand in another order than in the eager
    # program's. They keep their names, by which columns and products are looked up.
    owners = {term.name: value.site for value in result.sites for term in value.terms}
    terms = {term.name: term for value in result.sites for term in value.terms}
    order = {name: index for index, name in enumerate(terms)}
    columns = [0, *(1 + order[name] for names in sites.values() for name in names)]
    regrouped = {name: value for name, value in outputs.items() if not name.startswith("bias_gradients.")}
    regrouped["contributions"] = outputs["contributions"][:, columns]
    if len(regrouped) == len(outputs):
        return regrouped
    for name, names in sites.items():
        value = SiteValue(owners[names[0]], tuple(terms[term] for term in names))
        regrouped[f"bias_gradients.{name}"] = bias_gradient(value, len(result.score))
    return regrouped
