"""What an artifact is held to: four digits, or what rounding does to the model; by hand, with maps of a few numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.compiler import pipeline
from fgcompile.compiler.backends.onnx.emit import emit_onnx
from fgcompile.compiler.checking.report import DRAWS, FACTOR, Check, Comparison, Outputs, Report, compare
from fgcompile.compiler.ir.programs import FusedProgram
from fgcompile.compiler.ir.rounding import nudged
from fgcompile.errors import VerificationError

EXACT = {"logits": np.array([[1.0, 0.5]]), "input_gradient": np.array([[1.0, 0.0, -0.5]])}


def off_by(difference: float, name: str = "input_gradient") -> Outputs:
    changed = EXACT[name].copy()
    changed[0, 1] += difference
    return {**EXACT, name: changed}


def report(artifact: Outputs, draws: Callable[[int], Outputs], precision: str = "float32") -> Report:
    return compare(Comparison(artifact, EXACT, draws, precision))  # type: ignore[arg-type]


def test_nothing_is_drawn_for_four_digits() -> None:
    def draw(number: int) -> Outputs:
        raise AssertionError(number)

    assert report(off_by(9e-5), draw).passed


@pytest.mark.parametrize(("measured", "passes"), [(0.07, True), (FACTOR * 0.031, False)])
def test_a_choice_that_rounding_turns_in_any_draw_is_no_defect(measured: float, passes: bool) -> None:
    drawn = []

    def draw(number: int) -> Outputs:
        drawn.append(number)
        return off_by(0.03) if number == DRAWS - 2 else off_by(1e-7)

    assert report(off_by(measured), draw).passed == passes
    assert drawn == list(range(DRAWS - 1 if passes else DRAWS))


def test_every_output_counts() -> None:
    names = ("saliency", "saliency.depth", "contributions", "input_gradient.x", "bias_gradients.conv")
    exact = {name: np.ones((1, 2)) for name in names}
    for name in names:
        checks = compare(Comparison({**exact, name: np.array([[1.0, 1.1]])}, exact, lambda number: exact)).checks
        assert [check.passed for check in checks].count(False) == 1, name


def test_the_gradient_of_a_bias_that_cancels_counts_beside_the_others() -> None:
    exact = {"bias_gradients.key": np.full((1, 2), 1e-17), "bias_gradients.value": np.ones((1, 2))}
    artifact = {**exact, "bias_gradients.key": np.full((1, 2), 1e-8)}
    assert compare(Comparison(artifact, exact, lambda number: exact)).passed


def test_an_output_that_the_model_does_not_have_fails() -> None:
    assert not report({**EXACT, "saliency.mask": np.ones((1, 2))}, lambda number: EXACT).passed
    assert not report({**EXACT, "input_gradient": np.ones((1, 4))}, lambda number: EXACT).passed
    assert not report(off_by(float("nan")), lambda number: EXACT).passed


def test_a_prediction_changes_only_where_the_classes_differ() -> None:
    exact = {"logits": np.array([[1.0, 1.0 - 1e-7]])}
    swapped = {"logits": exact["logits"][:, ::-1].copy()}
    assert compare(Comparison(swapped, exact, lambda number: exact)).passed
    assert not report({**EXACT, "logits": EXACT["logits"][:, ::-1].copy()}, lambda number: EXACT).passed


def test_half_precision_has_its_own_digits() -> None:
    assert report(off_by(5e-3), lambda number: EXACT, "float16").passed
    assert not report(off_by(5e-3), lambda number: EXACT).passed
    assert not report(off_by(5e-2), lambda number: EXACT, "float16").passed


def test_rounding_leaves_whole_numbers() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.tensor([0.0, 1.0, -7.0, 0.3, 2.5])
    changed = nudged(values, 2.0**-23, generator) != values
    assert not changed[:3].any()
    assert (nudged(values, 2.0**-10, generator) - values).abs().max() <= 4 * 2.0**-10 * 2.5
    assert torch.equal(nudged(torch.arange(3), 1.0, generator), torch.arange(3))


def test_a_wrong_input_gradient_is_caught_after_emission(monkeypatch: pytest.MonkeyPatch) -> None:
    """The map is right: a gradient that only its output bears wrong was compared with nothing."""

    def emit_another_gradient(program: FusedProgram) -> bytes:
        graph = program.graph_module.graph
        output = graph.output_node()
        names = [spec.name for spec in program.outputs]
        results = list(output.args[0])
        with graph.inserting_before(output):
            result = results[names.index("input_gradient")]
            scaled = graph.call_function(torch.ops.aten.mul.Tensor, (result, 1.07))
        scaled.meta = dict(result.meta)
        results[names.index("input_gradient")] = scaled
        output.args = (tuple(results),)
        program.graph_module.recompile()
        return emit_onnx(program)

    monkeypatch.setitem(pipeline.EMITTERS, "onnx", emit_another_gradient)
    model = nn.Sequential(nn.Conv1d(1, 2, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(12, 3)).eval()
    with pytest.raises(VerificationError, match="input_gradient, relative to float64, 7"):
        fgcompile.compile(model, torch.randn(2, 1, 6), outputs=("logits", "saliency", "input_gradient"))


def test_a_report_is_true_where_all_passed_and_prints_as_a_table_in_words() -> None:
    """``assert verify(…)`` is what one writes: of a failure it has to fail."""
    passed, failed = Check("logits, relative", 1e-7, 1e-4), Check("saliency", float("nan"), 1e-4)
    assert Report((passed,))
    assert not Report((passed, failed))
    assert str(Report((passed,))).splitlines() == ["logits, relative  1.00e-07, limit 1.00e-04: passed", "PASSED"]
    assert str(Report((passed, failed))).splitlines()[1:] == [
        "saliency          nan, limit 1.00e-04: FAILED",
        "FAILED: 1 of 2 checks",
    ]
