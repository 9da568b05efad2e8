"""Imports point one way: what each folder may import stands in one table, and no circle is allowed, nor a lazy one."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

PACKAGE = Path(__file__).parent.parent / "fgcompile"

GROUND = {"compiler.ir", "compiler.examples", "compiler.request", "artifact", "errors"}
"""What every stage of the compiler may import."""

STAGES = {
    "compiler.capture",
    "compiler.rules",
    "compiler.biases",
    "compiler.expose",
    "compiler.passes",
    "compiler.fullgrad",
    "compiler.tracing",
    "compiler.lowering",
    "compiler.checking",
    "compiler.backends",
    "compiler.frontend",
    "compiler.labels",
    "compiler.sources",
    "compiler.texts",
}

MAY_IMPORT: dict[str, set[str]] = {
    "_version": set(),
    "errors": set(),
    "scores": {"errors"},
    "system": {"errors"},
    "artifact": {"errors", "system"},
    "text": {"drawing", "artifact", "system", "errors"},
    "drawing": {"artifact", "system", "errors"},
    "pictures": {"artifact", "system", "errors"},
    "runtime": {"drawing", "pictures", "text", "artifact", "system", "errors"},
    "media": {"drawing", "pictures", "text", "runtime", "artifact", "system", "errors"},
    "compiler.kinds": {"errors"},
    "compiler.examples": {"errors"},
    "compiler.compiled": {"runtime", "artifact", "system", "errors"},
    "compiler.request": {"compiler.kinds", "compiler.examples", "text", "artifact", "errors"},
    "compiler.ir": {"compiler.request", "artifact", "errors"},
    "compiler.capture": GROUND | {"compiler.biases"},  # what has a row there is captured whole
    "compiler.lowering": GROUND,
    "compiler.passes": GROUND,
    "compiler.biases": GROUND,
    "compiler.backends": GROUND | {"system"},  # compilers work in folders
    "compiler.rules": GROUND | {"compiler.biases"},
    "compiler.expose": GROUND | {"compiler.biases"},
    "compiler.fullgrad": GROUND | {"compiler.biases"},
    "compiler.tracing": GROUND | {"compiler.biases", "compiler.fullgrad"},
    "compiler.checking": GROUND | {"compiler.fullgrad", "runtime"},
    "compiler.frontend": GROUND | {"compiler.capture", "compiler.labels", "compiler.rules", "compiler.passes"},
    "compiler.labels": GROUND,
    "compiler.sources": GROUND | {"compiler.capture", "compiler.labels"},
    "compiler.texts": GROUND | {"compiler.capture", "text"},
    "compiler.description": GROUND | STAGES | {"text", "_version"},
    "compiler.fusing": GROUND | STAGES | {"compiler.description"},
    "compiler.pipeline": GROUND | STAGES | {"compiler.compiled", "compiler.description", "compiler.fusing", "runtime"},
    "compiler.verify": GROUND | STAGES | {"compiler.compiled", "compiler.description", "runtime", "scores"},
    "page": {"text", "artifact", "system", "errors"},
    "bench": {"runtime", "media", "artifact", "system", "errors", "_version"},
    "bulk": {"drawing", "pictures", "runtime", "media", "artifact", "system", "errors"},
    "serving": {"text", "runtime", "media", "artifact", "system", "errors", "_version"},
    "demo": {"", "bench", "drawing", "pictures", "media", "artifact", "system", "errors"},
    "cli": {"", "scores", "compiler.checking", "compiler.verify", "compiler.pipeline", "compiler.sources"}
    | {
        "bench",
        "bulk",
        "serving",
        "page",
        "demo",
        "media",
        "pictures",
        "text",
        "runtime",
        "artifact",
        "system",
        "errors",
        "_version",
    },
    "": {
        "_version",
        "artifact",
        "compiler.compiled",
        "compiler.pipeline",
        "compiler.verify",
        "compiler.request",
        "compiler.fullgrad",
        "runtime",
        "media",
        "errors",
    },
    "__main__": {"cli"},
}
"""Each room of the package, and the rooms that it may import; the package's own public names are the room ``""``."""

WITH_TORCH = (
    "compiler/",
    "scores/",
    "demo/",
    "cli/sources.py",
    "cli/models.py",
    "cli/configured.py",
    "cli/examples.py",
    "cli/weights.py",
    "compiler/capture/exported_program.py",
)
WITH_TORCH += ("runtime/exported.py",)
WITH_TORCH += ("runtime/torchscript.py", "runtime/aotinductor.py", "runtime/torch_device.py", "runtime/tensors.py")
WITH_TORCH += ("bench/onnx_forward.py", "bench/torchscript_forward.py")
WITH_TORCH += ("runtime/torch_internals.py", "bench/torch_internals.py")
"""Where torch and onnx may be imported; everything else runs artifacts, and is installed without them."""

WITH_MATPLOTLIB = ("drawing/plot.py", "drawing/colormaps.py")
"""Where matplotlib may be, which brings the extra ``plot``."""

FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    """The room of a module's dotted name without the package's, e.g. ``compiler.passes`` for one of the passes."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "compiler" else parts[0]


def module_of(path: Path) -> str:
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(path: Path, *, at_once: bool = False) -> set[str]:
    """The fgcompile modules that a file imports, those within functions too unless ``at_once``."""
    found = set()
    tree = parsed(path)
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "fgcompile":
            module = node.module.removeprefix("fgcompile").removeprefix(".")
            below = {f"{module}.{name.name}".lstrip(".") for name in node.names}
            found |= {name if name in MODULES else module for name in below}
        elif isinstance(node, ast.Import):
            names = [name.name for name in node.names if name.name.split(".")[0] == "fgcompile"]
            found |= {name.removeprefix("fgcompile").removeprefix(".") for name in names}
    return found


def ids(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(PACKAGE)) for path in paths]


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
def test_a_folder_imports_what_the_table_allows(path: Path) -> None:
    home = room_of(module_of(path))
    if path == PACKAGE / "compiler" / "__init__.py":
        assert imported(path) == {"errors"}
        return
    allowed = MAY_IMPORT[home] | {home}
    for module in imported(path):
        assert room_of(module) in allowed, f"{path.name} ({home}) imports fgcompile.{module}"


def test_every_room_has_a_row() -> None:
    rooms = {room_of(name) for name in MODULES if name != "compiler"}
    assert rooms == MAY_IMPORT.keys()


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Lazy imports count; but a package's public names, which are imported on first use, are no stop on a way."""
    arrows = {name: imported(path) - {name, ""} for name, path in MODULES.items() if name}
    finished: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join((*way[way.index(name) :], name))
        if name not in finished:
            for other in sorted(arrows.get(name, ())):
                visit(other, (*way, name))
            finished.add(name)

    for name in arrows:
        visit(name, ())


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
def test_what_runs_artifacts_needs_no_torch(path: Path) -> None:
    place = str(path.relative_to(PACKAGE))
    if place.startswith(WITH_TORCH):
        return
    tree = parsed(path)
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    needed = {"torch", "onnx", "onnx_ir", "onnxscript", "safetensors"}
    needed |= set() if place in WITH_MATPLOTLIB else {"matplotlib"}
    assert not {module for module in modules if module.split(".")[0] in needed}


def test_the_names_of_options_are_those_of_their_tables() -> None:
    from fgcompile.artifact.names import SUFFIXES
    from fgcompile.compiler.backends import EMITTERS
    from fgcompile.compiler.fullgrad.psi import PSI
    from fgcompile.compiler.request import Format, PsiName, RuleSet
    from fgcompile.compiler.rules import RULE_SETS

    assert tuple(EMITTERS) == tuple(SUFFIXES) == get_args(Format)
    assert ("auto", *PSI) == get_args(PsiName)
    assert ("auto", *RULE_SETS) == get_args(RuleSet)
