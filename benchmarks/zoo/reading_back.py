"""One network of the zoo beside the files that are exported of it: logits and map, computed in float64."""

from __future__ import annotations

import copy
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import fgcompile
from benchmarks.harness.failures import reason
from benchmarks.harness.records import Figures
from benchmarks.zoo.exporting import EXPORTERS, OTHER, Exported, ExportError, Flat, export, quietly
from benchmarks.zoo.models import ZOO, build_model
from fgcompile.compiler.capture.bound import bind
from fgcompile.compiler.checking.differences import median_difference
from fgcompile.compiler.examples import hold
from fgcompile.compiler.expose.expose import expose
from fgcompile.compiler.frontend import capture_in
from fgcompile.compiler.fullgrad.eager import evaluate_outputs
from fgcompile.compiler.ir.programs import BiasedProgram
from fgcompile.compiler.request import Request
from fgcompile.compiler.sources import open_model

OUTPUTS = ("logits", "saliency", "input_gradient")
BATCHES = (1, OTHER)
CLOSE = 1e-4
"""The largest difference of what is computed in float64 of weights that an exporter may have folded in float32."""

DRAWS = 5
"""How many other roundings of a network's weights are tried where a file is not close."""

COMPILED = ("embedding_lstm", "encoder_classifier", "digit_recognizer", "resnet18", "squeezenet1_1", "hf_vit")
"""Networks of which the artifacts are compared too."""

MEMORY = 12 << 30

Outputs = Mapping[str, Tensor]
Explained = list[Outputs]
"""What each batch of ``BATCHES`` gives."""


def read_back_alone(name: str) -> dict[str, Figures]:
    """``read_back`` in a process of its own, whose memory and threads are limited."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    torch.set_num_threads(1)
    return read_back(name)


def read_back(name: str) -> dict[str, Figures]:
    """Exports a network by every exporter and explains the file and the network, see ``benchmarks.zoo.round_trip``.

    Returns:
        By exporter: the file's batch, and the largest differences; or the stage that failed, and why.
    """
    row = ZOO[name]
    model = build_model(name)
    drawn = row.draw(OTHER, seed=1)
    inputs = (drawn,) if isinstance(drawn, Tensor) else tuple(drawn)
    with torch.no_grad():
        flat, output = Flat(model, inputs), model(*inputs)
    chosen = torch.zeros(OTHER, dtype=torch.int64) if row.score else output.argmax(1)
    source: Explained = quietly(partial(_explain, model, inputs, chosen, row.score))

    def score(outputs: Any) -> Tensor:
        assert row.score is not None
        return row.score(flat.restored(outputs))

    target = score if row.score else None
    explain = partial(_explain, inputs=inputs, chosen=chosen, score=target)
    found = {exporter: _of_exporter(flat, inputs, exporter, source, explain) for exporter in EXPORTERS}
    if far := [figures for figures in found.values() if max(_kinds(figures).values(), default=0.0) > CLOSE]:
        again = partial(_explain, inputs=inputs, chosen=chosen, score=row.score)
        rounding = quietly(lambda: _of_rounding(model, source, again))
        for figures in far:
            figures["rounding"] = rounding
    if name in COMPILED:
        run = partial(_run_artifact, inputs=inputs, chosen=chosen)
        reference = quietly(lambda: run(model, target=row.score))
        for exporter, figures in found.items():
            figures["artifact"] = _of_artifact(
                partial(export, flat, inputs, exporter), reference, partial(run, target=target)
            )
    return found


def _of_rounding(model: nn.Module, source: Explained, explain: Callable[[nn.Module], Explained]) -> Figures:
    """The largest differences that other roundings of its weights make to a network, of ``DRAWS``."""
    drawn = [_differences(explain(rounded_otherwise(model, seed)), source) for seed in range(DRAWS)]
    return {kind: max(figures[kind] for figures in drawn) for kind in drawn[0]}


def rounded_otherwise(model: nn.Module, seed: int) -> nn.Module:
    """A copy of which a third of the weights are one unit in the last place larger or smaller."""
    generator = torch.Generator().manual_seed(seed)
    copied = copy.deepcopy(model)
    for value in (*copied.parameters(), *copied.buffers()):
        if value.is_floating_point():
            drawn = torch.randint(6, value.shape, generator=generator)
            for number, end in enumerate((-torch.inf, torch.inf)):
                value.data = value.data.where(drawn != number, value.data.nextafter(torch.full_like(value, end)))
    return copied


def _kinds(figures: Figures) -> dict[str, float]:
    return {kind: figures[kind] for kind in OUTPUTS if kind in figures}


def _of_artifact(
    write: Callable[[Path], Exported], reference: Explained, run: Callable[[Path], Explained]
) -> float | str:
    """The largest difference of logits and maps of the file's artifact from those of the network's; or the failure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        try:
            quietly(lambda: write(path))
            return max(_differences(quietly(lambda: run(path)), reference).values())
        except Exception as error:  # the point of the table is to list what fails, and why
            return reason(error)


def _run_artifact(
    source: nn.Module | Path, inputs: Sequence[Tensor], chosen: Tensor, target: Callable[[Any], Tensor] | None
) -> Explained:
    """Compiles an ONNX artifact and runs it on every batch, in float32."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "artifact.onnx"
        fgcompile.compile(source, tuple(value[:2] for value in inputs), target=target).save(path)
        session = fgcompile.load(path, threads=1)
        found = []
        for count in BATCHES:
            given = tuple(value[:count].numpy() for value in inputs)
            explanation = session.explain(given, None if target else chosen[:count].numpy())
            outputs = {"logits": explanation.logits}
            outputs |= {f"saliency.{name}": value for name, value in explanation.saliency_by_input.items()}
            found.append({name: torch.from_numpy(value) for name, value in outputs.items() if value is not None})
    return found


def _of_exporter(
    flat: Flat, inputs: Sequence[Tensor], exporter: str, source: Explained, explain: Callable[[Path], Explained]
) -> Figures:
    """The figures of an exporter's file, and where its map is another those of one without the exporter's folding."""
    compare = partial(_of_file, source=source, explain=explain)
    figures = compare(partial(export, flat, inputs, exporter))
    if figures.get("saliency", 0.0) > CLOSE:
        figures["unfolded"] = compare(partial(export, flat, inputs, exporter, folded=False))
    return figures


def _of_file(write: Callable[[Path], Exported], source: Explained, explain: Callable[[Path], Explained]) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        try:
            exported = quietly(lambda: write(path))
        except ExportError as error:
            return {"stage": "export", "reason": str(error)}
        figures = {"batch": exported.batch, "dynamic": exported.dynamic}
        start = time.perf_counter()
        try:
            found = quietly(lambda: explain(path))
        except Exception as error:  # the point of the table is to list what fails, and why
            return {**figures, "stage": "read", "reason": reason(error)}
        return {**figures, "seconds": time.perf_counter() - start, **_differences(found, source)}


def _explain(
    model: nn.Module | Path, inputs: Sequence[Tensor], chosen: Tensor, score: Callable[[Any], Tensor] | None
) -> Explained:
    """The outputs of every batch, of the captured program in float64."""
    program, request = _program(model, inputs, score)
    doubled = [value.double() if value.is_floating_point() else value for value in inputs]
    found = []
    for count in BATCHES:
        given = [value[:count] for value in doubled]
        found.append(evaluate_outputs(program, request, given, chosen[:count], torch.float64))
    return found


def _program(
    model: nn.Module | Path, inputs: Sequence[Tensor], score: Callable[[Any], Tensor] | None
) -> tuple[BiasedProgram, Request]:
    floating = any(value.is_floating_point() for value in inputs)
    request = Request(outputs=OUTPUTS if floating else OUTPUTS[:2], target=score)
    opened = open_model(model, tuple(value[:2] for value in inputs), request)
    request = replace(request, output=opened.output)
    captured, request = capture_in(torch.float64, bind(opened.model, hold(opened.inputs), request), request)
    return expose(captured, request.layouts), request


def _differences(found: Explained, source: Explained) -> Figures:
    """The largest over batches of the median over samples, of logits, maps and input gradients.

    Several maps or gradients are compared as one; names of inputs are each source's own, their order is not.
    """
    figures: Figures = {}
    for kind in OUTPUTS:
        differences = []
        for ours, theirs in zip(found, source, strict=True):
            a, b = _of_kind(ours, kind), _of_kind(theirs, kind)
            if names := sorted({*a, *b}):
                differences.append(median_difference(a, b, names) if len(a) == len(b) else float("inf"))
        if differences:
            figures[kind] = max(differences)
    return figures


def _of_kind(outputs: Outputs, kind: str) -> Outputs:
    values = [value for name, value in outputs.items() if name.split(".")[0] == kind]
    return {str(index): value for index, value in enumerate(values)}
