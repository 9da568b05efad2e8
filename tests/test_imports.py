"""Imports point one way along the pipeline: a stage never imports another stage, and only `pipeline` knows them all."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fgcompile"
STAGES = {
    "capture": "capture",
    "attention": "capture",
    "scored": "capture",
    "fixed_sizes": "capture",
    "decompositions": "capture",
    "preparation": "capture",
    "rules": "rules",
    "expose": "expose",
    "layouts": "expose",
    "differentiate": "differentiate",
    "saliency": "differentiate",
    "psi": "differentiate",
    "arrangement": "differentiate",
    "smoothing": "differentiate",
    "method": "differentiate",
    "outputs": "differentiate",
    "eager": "differentiate",
    "preprocessing": "differentiate",
    "scaling": "differentiate",
    "trace": "differentiate",
    "lowering": "lowering",
    "passes": "passes",
    "backends": "backends",
    "runtime": "runtime",
}
"""Each module or folder, and the stage that it belongs to."""

KNOW_ALL = {
    "pipeline",
    "comparison",
    "options",
    "__init__",
    "cli",
    "__main__",
    "demo",
    "explain",
    "bench",
    "serving",
    "bulk",
}
"""The pipeline and what stands in front of it."""

WITHOUT_TORCH = (
    "runtime/__init__.py",
    "runtime/session.py",
    "runtime/onnxruntime.py",
    "runtime/openvino.py",
    "artifact.py",
    "validation.py",
)


def imports(path: Path) -> set[str]:
    """The fgcompile modules that a file imports, without the package's name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("fgcompile."):
            found.add(node.module.removeprefix("fgcompile."))
        elif isinstance(node, ast.Import):
            found |= {name.name.removeprefix("fgcompile.") for name in node.names if name.name.startswith("fgcompile.")}
    return found


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_a_stage_imports_no_other_stage(path: Path) -> None:
    home = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if home in KNOW_ALL:
        return
    stage = STAGES.get(home)
    for module in imports(path):
        other = STAGES.get(module.split(".")[0])
        assert other in (None, stage), f"{path.name} ({stage or 'shared'}) imports fgcompile.{module} ({other})"
        assert module.split(".")[0] != "pipeline", f"{path.name} imports the pipeline"


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_serving_an_onnx_artifact_needs_no_torch(name: str) -> None:
    tree = ast.parse((PACKAGE / name).read_text())
    modules = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names}
    assert not {module for module in modules if module and module.split(".")[0] in ("torch", "onnx")}


def test_the_names_of_options_are_those_of_their_tables() -> None:
    from fgcompile import options, psi, rules

    assert tuple(psi.PSI) == options.PSI_NAMES
    assert tuple(rules.RULES) == options.RULE_SETS
