"""What the compiler says of a drawn network, as errors from the oracle's answer, by property.

- ``completeness``, ``value``, ``gradient``, ``pieces``: of ``fgcompile.full_gradient`` in float64. ``pieces``: the
  terms of a piece's sites together, relative to the sum of all pieces' magnitudes.
- ``logits``, ``input gradient``, ``residual``, ``map sum``, ``map``: of the artifact, the worst over all batches and
  sizes. ``map sum``: the signed map and the terms without a place, from the score; ``map``: that map by place.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

import fgcompile
from benchmarks.exactness.random_graphs.kinds.drawn import Drawn
from benchmarks.exactness.random_graphs.kinds.oracle import Expected, expect
from benchmarks.exactness.random_graphs.kinds.trunk import CLASSES
from fgcompile.runtime.session import Session, open_session

BATCHES = (1, 2, 5)
ALL = 5
"""The batch of the eager check, and of other sizes: not one that a value has on an axis in front of its samples."""
OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient")

Figures = dict[str, float]

EXACT, SINGLE = 1e-9, 1e-3
EAGER = ("completeness", "value", "gradient", "pieces")


def limit(figure: str, dtype: torch.dtype) -> float:
    """The largest error that passes; of half weights eight roundings, and eagerly those of casts to float32."""
    if figure in EAGER:
        return EXACT if dtype == torch.float32 else 1e-5
    return SINGLE if dtype == torch.float32 else max(SINGLE, 8 * torch.finfo(dtype).eps)


def misses(figures: Figures, dtype: torch.dtype) -> list[str]:
    """The figures above their limits; one that is not a number is."""
    return [name for name, value in figures.items() if not value <= limit(name, dtype)]


def measure_eager(drawn: Drawn) -> Figures:
    """Of ``fgcompile.full_gradient``."""
    inputs, target = drawn.make(ALL, drawn.sizes[0], 1), _classes(ALL)
    expected = expect(drawn, inputs, target)
    terms = fgcompile.full_gradient(
        copy.deepcopy(drawn.model).double(), inputs, target, rules="taylor", layouts=drawn.options.get("layouts")
    )
    given = terms.input_gradient
    gradients = (given,) if isinstance(given, Tensor) else given
    figures = {
        "completeness": float(terms.relative_completeness_error.max()),
        "value": _error(terms.output, expected.logits),
        "pieces": _pieces_error(terms.bias_gradients, expected, any(not x.is_floating_point() for x in inputs)),
    }
    return figures if not expected.gradients else {**figures, "gradient": _errors(gradients, expected.gradients)}


def measure_artifact(drawn: Drawn, format: Any, batch: int) -> Figures:
    """Of the artifact of an example with that batch, at every batch and size that it claims."""
    example = tuple(x.to(drawn.dtype) if x.is_floating_point() else x for x in drawn.make(batch, drawn.sizes[0], 2))
    mapped = any(x.ndim > 2 or not x.is_floating_point() for x in example)
    left_out = set() if mapped else {"saliency"}
    if not any(x.is_floating_point() for x in example):
        left_out.add("input_gradient")
    outputs = tuple(name for name in OUTPUTS if name not in left_out)
    options: dict[str, Any] = {
        "format": format,
        "rules": "taylor",
        "psi": "signed",
        "outputs": outputs,
        **drawn.options,
    }
    artifact = fgcompile.compile(copy.deepcopy(drawn.model), example, **options)
    session = open_session(artifact.content, artifact.metadata, "the artifact", threads=1)  # type: ignore[arg-type]
    runs = [(n, drawn.sizes[0]) for n in BATCHES] + [(n, size) for size in drawn.sizes[1:] for n in (2, ALL)]
    figures: Figures = {}
    for number, (n, size) in enumerate(runs):
        inputs = drawn.make(n, size, 3 + number)
        if not claims(artifact.metadata, inputs):
            continue
        for name, error in _run(session, drawn, inputs, _classes(n)).items():
            figures[name] = error if not error <= figures.get(name, -1.0) else figures[name]
    return figures


def claims(metadata: Mapping[str, Any], inputs: Sequence[Tensor]) -> bool:
    """Whether the artifact says that it takes these sizes: a number, a name, or a multiple such as ``4*height``."""
    for spec, value in zip(metadata["inputs"], inputs, strict=False):
        for named, size in zip(spec["shape"], value.shape, strict=True):
            factor = int(named.split("*")[0]) if isinstance(named, str) and "*" in named else 1
            if size % factor or (isinstance(named, int) and named != size):
                return False
    return True


def _run(session: Session, drawn: Drawn, inputs: Sequence[Tensor], target: Tensor) -> Figures:
    expected = expect(drawn, inputs, target)
    names = [spec["name"] for spec in session.metadata["inputs"]][: len(inputs)]
    given = [x.float().numpy() if x.is_floating_point() else x.numpy() for x in inputs]
    found = session.explain(tuple(given), target.numpy())
    feeds = {**dict(zip(names, given, strict=True)), "target": target.numpy()}
    raw = session.run(feeds)
    floats = [name for name, x in zip(names, inputs, strict=True) if x.is_floating_point()]
    gradients = [raw.get(f"input_gradient.{name}", raw.get("input_gradient")) for name in floats]
    assert found.contributions is not None
    assert found.residual is not None
    figures = {
        "logits": _error(found.logits, expected.logits),
        "residual": float(np.max(np.abs(found.residual) / np.abs(found.contributions).sum(1))),
    }
    if floats:
        figures["input gradient"] = _errors(gradients, expected.gradients)
    if len(inputs) == 1 and found.saliency is not None:
        figures |= _map_errors(session, found.saliency, found.contributions, expected)
    return figures


def _map_errors(session: Session, saliency: Any, contributions: Any, expected: Expected) -> Figures:
    """From the score, and from the oracle's map where there is one."""
    sites = [site for site in session.metadata["sites"] for _ in site["terms"]]
    # Of a site with a class token only a part has a place, and a contribution does not tell how much.
    whole = not any("+" in site["layout"] for site in sites)
    lost = np.array([False, *(site["layout"] == "none" for site in sites)])
    total = saliency.reshape(len(saliency), -1).sum(1) + contributions[:, lost].sum(1)
    scale = np.abs(contributions).sum(1)
    figures = {"map sum": float(np.max(np.abs(total - expected.score.numpy()) / scale))} if whole else {}
    if expected.signed is not None:
        figures["map"] = _error(saliency[:, 0], expected.signed)
    return figures


def _classes(batch: int) -> Tensor:
    return torch.arange(batch) % CLASSES


def _error(value: Any, expected: Tensor) -> float:
    return _errors([value], [expected])


def _errors(values: Sequence[Any], expected: Sequence[Tensor]) -> float:
    """``Σ |value − expected| / Σ |expected|`` over all; infinite where a shape differs or a value is missing."""
    if len(values) != len(expected) or any(
        value is None or tuple(value.shape) != tuple(right.shape) for value, right in zip(values, expected, strict=True)
    ):
        return float("inf")
    pairs = [(torch.as_tensor(value).double(), right) for value, right in zip(values, expected, strict=True)]
    difference = sum(float((value - right).abs().sum()) for value, right in pairs)
    scale = sum(float(right.abs().sum()) for right in expected)
    return difference / scale if scale > 1e-12 else difference


def _pieces_error(terms: Mapping[str, Tensor], expected: Expected, integers: bool) -> float:
    """Sites are named for the piece that they lie in; what integers look up may be the input's term instead."""
    scale = sum(part.abs() for part in expected.pieces) + expected.score.abs() + 1e-12
    worst = 0.0
    for index, part in enumerate(expected.pieces):
        if index == 0 and integers:
            continue
        prefix = f"pieces.{index}"
        own = [value for name, value in terms.items() if name == prefix or name.startswith(f"{prefix}.")]
        total = sum((value.flatten(1).sum(1) for value in own), torch.zeros_like(part))
        worst = max(worst, float(((total - part).abs() / scale).max()))
    return worst
