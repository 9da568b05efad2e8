"""The examples of the page for contributors are taken from it and run."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.compiler.biases import bias_table
from fgcompile.compiler.biases.elementwise import ELEMENTWISE
from fgcompile.runtime import runtimes

TEXT = (Path(__file__).parents[2] / "docs" / "writing-a-rule.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```python\n# (\S+\.py)\n(.*?)```", TEXT, re.DOTALL))
"""The code of each file that the page shows whole, by its path."""

asinh = torch.ops.aten.asinh.default


@pytest.fixture
def run_example(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Runs a file of the page, and lets others import it by its name."""

    def run(path: str) -> ModuleType:
        name = path.removesuffix(".py").replace("/", ".")
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(EXAMPLES[path], path, "exec"), module.__dict__)
        return module

    return run


@pytest.fixture(scope="module")
def model() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    layers = (nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))
    return nn.Sequential(*layers).eval(), torch.randn(2, 1, 6, 6)


@pytest.fixture(scope="module")
def compiled(model: tuple[nn.Module, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compiled") / "model.onnx"
    fgcompile.compile(*model).save(path)
    return path


def test_an_operator_without_a_row_takes_the_fallback(
    run_example: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    assert asinh not in bias_table(), "the page's operator has a row: choose another one for the page"
    run_example("asinh.py")
    assert f"    {capsys.readouterr().out}" in TEXT


def test_with_its_row_it_is_an_activation_and_complete(
    run_example: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ELEMENTWISE[torch.ops.aten.atan.default]
    monkeypatch.setattr("fgcompile.compiler.expose.expose.bias_table", lambda: {**bias_table(), asinh: row})
    example = run_example("asinh.py")
    assert [(site.name, site.kind) for site in example.program.sites][1] == ("1.asinh", "activation")
    terms = fgcompile.full_gradient(example.model.double(), torch.randn(3, 4, dtype=torch.float64))
    assert terms.relative_completeness_error.max() < 1e-12


def test_the_pass_does_what_its_test_says(run_example: Callable[[str], ModuleType]) -> None:
    run_example("fgcompile/compiler/passes/optimize/remove_double_negations.py")
    tests = run_example("tests/compiler/passes/optimize/test_remove_double_negations.py")
    tests.test_before_and_after()
    tests.test_one_negation_stays()


def test_the_runtime_runs_artifacts(
    run_example: Callable[[str], ModuleType],
    model: tuple[nn.Module, torch.Tensor],
    compiled: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = run_example("fgcompile/runtime/onnx_reference.py")
    key, location = ("onnx", "reference"), f"{module.__name__}:OnnxReferenceBackend"
    assert f'("{key[0]}", "{key[1]}"): "{location}"' in TEXT
    monkeypatch.setattr(runtimes, "PROVIDER_RUNTIMES", {key: location})
    found = fgcompile.load(compiled, providers=["reference"]).explain(model[1].numpy())
    assert_same_map(found, compiled, model)


def assert_same_map(found: fgcompile.Explanation, compiled: Path, model: tuple[nn.Module, torch.Tensor]) -> None:
    expected = fgcompile.load(compiled).explain(model[1].numpy())
    assert found.saliency is not None
    np.testing.assert_allclose(found.saliency, expected.saliency, rtol=1e-4, atol=1e-5)
