"""Compiles each family of transformers once, and asks the artifact at five lengths and three batches.

    python -m benchmarks.zoo.lengths [--only PATTERN] [--again] [--limit 600]

Needs the extra ``cpu`` and the group ``zoo``. The oracle is the eager network in float64 and its gradients by autograd:
the logits, the gradient at every embedded token or pixel, and that the terms add up; in float32 where it is NaN in
float64, as Gemma 2's is behind more padding than its window: it has softmax in float32, in which the least float64 of
its masks is infinite. The map must be nothing at padding that matters to nothing. Results go to
``results/lengths.jsonl``, from which a run goes on, and ``results/lengths.md``.
"""

from __future__ import annotations

import argparse
import copy
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import fgcompile
from benchmarks.harness.environment import RESULTS, markdown_table
from benchmarks.harness.failures import ending, reason
from benchmarks.harness.records import Result, Store, describe
from benchmarks.zoo.families import FAMILIES, Family, Inputs
from fgcompile.errors import FgcompileError

PACKAGES = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime")
STORE = Store(RESULTS / "lengths.jsonl", ("name", "machine", "versions"), PACKAGES)
BATCHES = (1, 2, 5)
RIGHT = 1e-4
"""The largest difference from float64, relative to the largest value."""

BEYOND = "beyond the network"
"""What is said of a length that neither the network nor the artifact takes."""

Array = NDArray[Any]
OUTPUTS = ("logits", "saliency", "contributions", "residual", "bias_gradients")


def measure(family: Family) -> dict[str, Any]:
    """What came of a family: why it was refused, or how far each length and batch is from the eager network."""
    model = family.build()
    example = family.make(2, family.lengths[len(family.lengths) // 2], 0)
    target = family.target if callable(family.target) else None
    floating = any(value.is_floating_point() for value in example.values())
    outputs = (*OUTPUTS, "input_gradient") if floating else OUTPUTS
    options: dict[str, Any] = {"target": target, "rules": "taylor", "outputs": outputs}
    options |= {"dynamic_sizes": family.dynamic, "batch": family.batch, "layouts": family.layouts}
    try:
        artifact = fgcompile.compile(model, _in(example, family.dtype), **options)
    except FgcompileError as error:
        return {"refused": reason(error)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "family.onnx"
        artifact.save(path)
        session = fgcompile.load(path, threads=1)
    references = (_reference(model, torch.float64), _reference(model, torch.float32))
    cells = {}
    for length in family.lengths:
        for batch in BATCHES:
            inputs = family.make(batch, length, 10 * length + batch)
            cells[f"{length}x{batch}"] = _cell(family, session, references, inputs)
    return {"cells": cells, "inputs": [spec["shape"] for spec in artifact.metadata["inputs"]]}


def _reference(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The eager network in a dtype; mixtures of experts ask one after the other, as the fast way has no float64."""
    reference = copy.deepcopy(model).to(dtype)
    if any(name.endswith("experts") for name, _ in reference.named_modules()):
        for part in reference.modules():
            if hasattr(part, "set_experts_implementation"):
                part.set_experts_implementation("eager")
    return reference


def _in(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in inputs.items()}


def _cell(
    family: Family, session: fgcompile.Session, references: tuple[nn.Module, nn.Module], inputs: Inputs
) -> float | str:
    """The largest difference of one call from the network in float64, or in float32; or why it was refused."""
    try:
        expected = _of_samples(family, references[0], _in(inputs, torch.float64))
        if not np.isfinite(expected["score"]).all():
            expected = _of_samples(family, references[1], inputs)
    except Exception as error:  # the network itself takes no such length
        expected, own = None, error
    arrays = {name: value.numpy() for name, value in inputs.items()}
    try:
        asked = None if callable(family.target) or expected is None else expected["target"]
        found = session.explain(arrays, asked)
    except FgcompileError as error:
        said = reason(error)
        return f"refused: {said}" if expected is not None else BEYOND
    except Exception as error:  # whatever the runtime raises
        return f"failed: {reason(error)}"
    if expected is None:
        return f"wrong: the network refuses ({reason(own)})"
    return max(*_differences(found, expected), _at_padding(found, expected, inputs))


def _of_samples(family: Family, model: nn.Module, inputs: Inputs) -> dict[str, Any]:
    """As ``_expected``; one sample is computed twice, side by side.

    Of one alone the gradient of an evaluating BatchNorm is wrong in PyTorch 2.13 where its own is transposed, as behind
    ``flatten(2).transpose(1, 2)``.
    """
    count = len(next(iter(inputs.values())))
    if count > 1:
        return _expected(family, model, inputs)
    twice = _expected(family, model, {name: torch.cat([value, value]) for name, value in inputs.items()})
    alone = {name: twice[name] if twice[name] is None else twice[name][:1] for name in ("logits", "score", "target")}
    return alone | {name: [value[:1] for value in twice[name]] for name in ("tokens", "gradients")}


def _expected(family: Family, model: nn.Module, inputs: Inputs) -> dict[str, Any]:
    """The eager network's logits, and its gradient at every embedded token and float input, by autograd."""
    embedded: list[Tensor] = []

    def keep(_module: nn.Module, given: Any, output: Tensor) -> Tensor:
        if any(torch.equal(given[0], value) for value in inputs.values()) and output.ndim == 3:
            output = output.detach().requires_grad_()
            embedded.append(output)
        return output

    # A table of positions is read at numbers that may be a text's too.
    tables = [part for part in model.modules() if isinstance(part, nn.Embedding)]
    handles = [part.register_forward_hook(keep) for part in tables if "Position" not in type(part).__name__]
    floating = {name: value.requires_grad_() for name, value in inputs.items() if value.is_floating_point()}
    try:
        output = model(**inputs)
    finally:
        for handle in handles:
            handle.remove()
    logits, target = None, None
    if callable(family.target):
        score = family.target(output)
    else:
        logits = output["logits"]
        target = _target(logits, inputs.get("attention_mask"))
        score = logits[(torch.arange(len(logits)), *torch.as_tensor(target).reshape(len(logits), -1).T)]
    leaves = [*embedded, *floating.values()]
    gradients = torch.autograd.grad(score.sum(), leaves, materialize_grads=True)
    return {
        "logits": None if logits is None else logits.detach().numpy(),
        "score": score.detach().numpy(),
        "target": target,
        "tokens": [(a * b).detach().numpy() for a, b in zip(leaves, gradients, strict=True)][: len(embedded)],
        "gradients": [gradient.numpy() for gradient in gradients[len(embedded) :]],
    }


def _target(logits: Tensor, mask: Tensor | None) -> Array:
    """Class 1; or class 1 at the last word of what has logits, the last place where it has no mask."""
    if logits.ndim == 2:
        return np.ones(len(logits), dtype=np.int64)
    if mask is None or mask.shape[1] != logits.shape[1]:  # of a decoder, whose words have none
        mask = torch.ones(logits.shape[:2], dtype=torch.int64)
    places = mask.sum(1).numpy() - 1
    return np.stack([places, np.ones(len(logits), dtype=np.int64)], 1)


def _differences(found: Any, expected: Mapping[str, Any]) -> list[float]:
    """How far the logits, the terms' sum, the terms of tokens and the gradient of pixels are from the eager ones."""
    scale = np.abs(found.contributions).sum(1)
    away = [float((np.abs(found.contributions.sum(1) - expected["score"]) / scale).max())]
    if expected["logits"] is not None:
        away.append(_apart(found.logits, expected["logits"]))
    for term in expected["tokens"]:
        away.append(min((_apart(value, term) for value in _like(term, found.bias_gradients.values())), default=np.inf))
    given = found.input_gradient
    for gradient in expected["gradients"]:
        candidates = given if isinstance(given, tuple) else [given]
        away.append(min((_apart(value, gradient) for value in _like(gradient, candidates)), default=np.inf))
    return away


def _at_padding(found: Any, expected: Mapping[str, Any], inputs: Inputs) -> float:
    """The largest value of the map at padding, relative to the largest at all, where no token there matters."""
    padded = inputs.get("attention_mask", torch.ones(1)).numpy() == 0
    tokens = [term for term in expected["tokens"] if term.shape[:2] == padded.shape]
    if not padded.any() or any(term[padded].any() for term in tokens):
        return 0.0
    maps = np.abs(found.saliency_by_input["input_ids"][:, 0])
    return float(maps[padded].max() / maps.max())


def _like(reference: Array, values: Iterable[Array]) -> list[Array]:
    return [value for value in values if value is not None and value.shape == reference.shape]


def _apart(value: Array, reference: Array) -> float:
    return float(np.abs(value - reference).max() / max(np.abs(reference).max(), 1e-30))


def status(result: Mapping[str, Any]) -> str:
    """``right``, or why a family, or a length of it, is not."""
    if "refused" in result:
        return f"refused: {result['refused']}"
    wrong = {name: cell for name, cell in result["cells"].items() if not _is_right(cell)}
    if not wrong:
        return "right"
    name, cell = next(iter(wrong.items()))
    return (
        f"{len(wrong)} of {len(result['cells'])} not right: {name} {cell if isinstance(cell, str) else f'{cell:.0e}'}"
    )


def _is_right(cell: float | str) -> bool:
    return cell == BEYOND if isinstance(cell, str) else cell <= RIGHT


def report(results: Sequence[Result]) -> str:
    """The table in Markdown."""
    rows = []
    for result in results:
        cells = result.get("cells", {})
        numbers = [cell for cell in cells.values() if not isinstance(cell, str)]
        right = sum(map(_is_right, cells.values()))
        worst = f"{max(numbers):.0e}" if numbers else ""
        said = status(result)
        rows.append([result["name"], f"{right} of {len(cells)}" if cells else "none", worst, said])
    whole = sum(row[3] == "right" for row in rows)
    every = [cell for result in results for cell in result.get("cells", dict.fromkeys(range(15), "refused")).values()]
    right_cells, all_cells = sum(map(_is_right, every)), len(every)
    table = markdown_table(["family", "right", "largest difference", ""], rows, numbers=False)
    facts = describe(results, "python -m benchmarks.zoo.lengths")
    return (
        f"# Any length\n\n{facts}\n\nEach is compiled once with `dynamic_sizes=True` and asked in ONNX Runtime "
        f"at five lengths, or sizes of pictures, and batches of {', '.join(map(str, BATCHES))}; RT-DETR is asked at "
        f"one size, and it, LLaVA, CLIP and SigLIP are compiled with `batch=1`; the terms of Mamba-2's mixers, whose "
        f"tokens lie in chunks, are kept out of the map, `layouts={{'*.mixer.*': 'none'}}`. A word is asked for behind "
        f"the last of each text. Right is {RIGHT:.0e} "
        "from the eager network in float64: its logits, its gradient by autograd at every token or pixel, and that the "
        "terms add up, and that the map is nothing at padding that matters to nothing. "
        f"**{whole} of {len(rows)} are right at all, {right_cells} of {all_cells} calls.**\n\n{table}\n"
    )


def main(arguments: list[str] | None = None) -> int:
    """Measures the families asked for, each in a process of its own; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo.lengths", description=__doc__)
    parser.add_argument("--only", default="*", metavar="PATTERN", help="families whose name matches")
    parser.add_argument("--again", action="store_true", help="measure what has been measured again")
    parser.add_argument("--limit", type=float, default=600, help="seconds for one family")
    parser.add_argument("--one", choices=FAMILIES, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        warnings.simplefilter("ignore")
        torch.set_num_threads(1)
        print(json.dumps(measure(FAMILIES[options.one])))
        return 0
    known = {result["name"] for result in STORE.current()}
    for name in FAMILIES:
        if fnmatch.fnmatch(name, options.only) and (options.again or name not in known):
            result = _measured(name, options.limit)
            STORE.append({"name": name, **result})
            print(f"{name}: {status(result)}", flush=True)
            current = {result["name"]: result for result in STORE.current()}
            results = [current[name] for name in FAMILIES if name in current]
            (RESULTS / "lengths.md").write_text(report(results))
    return 0


def _measured(name: str, limit: float) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.zoo.lengths", "--one", name]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    try:
        done = subprocess.run(command, env=environment, timeout=limit, capture_output=True, text=True, check=False)
    except subprocess.TimeoutExpired:
        return {"refused": f"no result after {limit:.0f} s"}
    if done.returncode:
        return {"refused": ending(done.returncode, done.stderr)}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    sys.exit(main())
