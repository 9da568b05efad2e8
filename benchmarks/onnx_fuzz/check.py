"""What becomes of a case: the module that is read of its file beside ONNX Runtime, and its gradient beside differences.

The forward pass is held to ONNX Runtime on the file, in float32. The gradient of the module, ⟨w, y⟩ along a direction
d, is held to (f(x + hd) − f(x − hd)) / 2h of the module itself in float64, which the first comparison ties to the file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # ships no types
import torch
from torch import Tensor, nn

from benchmarks.onnx_fuzz.cases import Case
from benchmarks.onnx_fuzz.drawing import Array
from fgcompile.compiler.capture.onnx.read import read_onnx
from fgcompile.errors import FgcompileError, first_line

FORWARD = 1e-4
"""How far the outputs may be apart, relative to the largest number, or 1."""

STEPS = {torch.float64: (1e-6, 1e-5), torch.float32: (2e-4, 3e-2)}
"""By the dtype that a module computes in: h, and how far the derivatives may be apart."""

WAYS = 3
"""Along how many directions a gradient is tried, of which one has to be right."""

WITHOUT_GRADIENT = {"Round", "Imputer"}
"""Operators that are drawn at their jumps; of levels the gradient goes straight through them."""

Outcome = Literal["equal", "refused", "runtime refuses", "wrong"]


@dataclass(frozen=True)
class Result:
    """What became of a case.

    Attributes:
        outcome: In a word.
        why: What refuses it, or is wrong.
    """

    outcome: Outcome
    why: str = ""


def check(case: Case) -> Result:
    """Writes the file, runs it in ONNX Runtime and as a module, and compares."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        case.save(path)
        try:
            expected = _session(path).run(None, case.inputs)
        except Exception as error:  # of a form that ONNX Runtime does not have, in its own classes
            return Result("runtime refuses", first_line(error))
        try:
            module = read_onnx(path, logits=False)
            found = _outputs(module, {name: torch.from_numpy(array) for name, array in case.inputs.items()})
        except FgcompileError as error:
            return Result("refused", first_line(error).replace(str(path), "the file"))
        except Exception as error:  # which no user should see
            return Result("wrong", f"{type(error).__name__}: {first_line(error)}")
    apart = next(filter(None, map(_apart, found, expected)), "")
    if not apart and case.family != "levels" and case.operator[1] not in WITHOUT_GRADIENT:
        apart = _gradient_apart(module, case.inputs)
    return Result("wrong", apart) if apart else Result("equal")


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")  # products of 8 bits clip without
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _outputs(module: nn.Module, feeds: Mapping[str, Tensor]) -> Sequence[Tensor]:
    with torch.no_grad():
        return _run(module, feeds)


def _run(module: nn.Module, feeds: Mapping[str, Tensor]) -> Sequence[Tensor]:
    outputs = module(**feeds)
    return tuple(outputs.values()) if isinstance(outputs, dict) else (outputs,)


def _apart(found: Tensor, expected: Array) -> str:
    array = found.numpy()
    if array.shape != expected.shape or array.dtype != expected.dtype:
        return f"{array.dtype}{list(array.shape)}, and {expected.dtype}{list(expected.shape)} in ONNX Runtime"
    with np.errstate(invalid="ignore"):
        error = np.abs(array.astype(np.float64) - expected.astype(np.float64))
    error = np.where((array == expected) | (np.isnan(array) & np.isnan(expected)), 0, error)
    size = np.abs(expected[np.isfinite(expected)].astype(np.float64)).max(initial=1.0)
    limit = FORWARD * size if expected.dtype.kind == "f" else 0.0
    return "" if (error <= limit).all() else f"{np.nanmax(error):.1e} from ONNX Runtime"


def _gradient_apart(module: nn.Module, inputs: Mapping[str, Array]) -> str:
    """What is wrong with the gradient; nothing where there is none."""
    feeds = {name: torch.from_numpy(array) for name, array in inputs.items()}
    real = [name for name, value in feeds.items() if value.dtype == torch.float32]
    if not real:
        return ""
    try:
        doubled = {name: value.double() if name in real else value for name, value in feeds.items()}
        outputs = _outputs(module.double(), doubled)
        feeds, dtype = doubled, _computes_in(outputs)
    except Exception:  # an operator that takes float32 alone
        module.float()
        dtype = torch.float32
    if dtype not in STEPS:
        return ""
    # A kink along one way, where a maximum changes say, is along no other.
    tries = [_slopes(module, feeds, real, dtype, seed) for seed in range(WAYS)]
    if any(abs(slope - difference) <= STEPS[dtype][1] * max(1.0, abs(slope)) for slope, difference in tries):
        return ""
    return f"the gradient is {tries[0][0]:.5g} along a direction, differences give {tries[0][1]:.5g}"


def _slopes(
    module: nn.Module, feeds: Mapping[str, Tensor], real: Sequence[str], dtype: torch.dtype, seed: int
) -> tuple[float, float]:
    """The derivative along a way, by the gradient and by differences; both zero where there is none."""
    step = STEPS[dtype][0]
    generator = torch.Generator().manual_seed(seed)
    way = {name: torch.randn(feeds[name].shape, generator=generator, dtype=feeds[name].dtype) for name in real}
    leaves = {name: value.clone().requires_grad_(name in real) for name, value in feeds.items()}
    total = _total(_run(module, leaves))
    if total is None or not total.isfinite():
        return 0.0, 0.0
    slope = 0.0
    if total.requires_grad:
        gradients = torch.autograd.grad(total, [leaves[name] for name in real], allow_unused=True)
        slope = sum(float((g * way[name]).sum()) for name, g in zip(real, gradients, strict=True) if g is not None)
    before, behind = (
        _total(_outputs(module, feeds | {name: feeds[name] + sign * step * way[name] for name in real}))
        for sign in (-1, 1)
    )
    assert before is not None
    assert behind is not None
    return slope, float(behind - before) / (2 * step)


def _computes_in(outputs: Sequence[Tensor]) -> torch.dtype | None:
    return next((value.dtype for value in outputs if value.is_floating_point()), None)


def _total(outputs: Sequence[Tensor]) -> Tensor | None:
    """A weighted sum of what has a gradient, the same weights each time."""
    generator = torch.Generator().manual_seed(1)
    sums = [
        (value.double() * torch.randn(value.shape, generator=generator, dtype=torch.float64)).sum()
        for value in outputs
        if value.is_floating_point()
    ]
    return torch.stack(sums).sum() if sums else None
