"""The folders of benchmarks import one way: a question asks the harness and the networks, never another question."""

from __future__ import annotations

import ast
import pkgutil
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"

ALLOWED: dict[str, set[str]] = {
    "harness": set(),
    "networks": {"harness"},
    "latency": {"harness", "networks"},
    "gpu": {"harness", "networks", "latency"},  # latency, where a card is, in another order
    "scaling": {"harness", "networks", "latency"},  # it measures latency at many sizes
    "exactness": {"harness", "networks"},
    "serving": {"harness", "networks"},
    "evidence": {"harness", "networks"},
    "language": {"harness", "networks"},
    "zoo": {"harness", "networks"},
    "pictures": {"harness"},
    "trust": {"harness", "networks"},
    "onnx_cases": {"harness"},
    "onnx_files": {"harness"},
    "onnx_fuzz": {"harness"},
    "quantised": {"harness", "networks", "latency", "evidence"},  # latency, and removal of pixels, of 8 bits
}
"""What each folder may import beside itself; of the repository also fgcompile and examples, never tests."""

FILES = sorted(FOLDER.rglob("*.py"))
NAMES = [str(path.relative_to(FOLDER)) for path in FILES]


def imports(path: Path) -> set[str]:
    """The modules that a file imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            assert node.module is not None
            found |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


def test_every_folder_of_benchmarks_has_a_rule() -> None:
    folders = {path.parent.name for path in FOLDER.glob("*/*.py")}
    assert folders == set(ALLOWED)
    assert [path.name for path in FOLDER.glob("*.py")] == ["__init__.py"], "a module in no folder answers no question"


def test_the_rules_allow_no_circle() -> None:
    seen: set[str] = set()
    for folder, allowed in ALLOWED.items():
        assert allowed <= seen, f"{folder} may import what comes after it"
        seen.add(folder)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_folders_import_one_way(path: Path) -> None:
    folder = path.relative_to(FOLDER).parts[0]
    for module in imports(path):
        package, _, rest = module.partition(".")
        assert package != "tests", f"a benchmark imports {module}"
        if package == "benchmarks":
            other = rest.partition(".")[0]
            assert other == folder or other in ALLOWED[folder], f"{folder} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_functions_named_for_other_processes_are_there(path: Path) -> None:
    for name in re.findall(r'"(benchmarks\.[\w.]+:\w+)"', path.read_text()):
        assert callable(pkgutil.resolve_name(name))
