"""What other libraries do not promise to keep is used in a few files, which name it all.

Operators of ``torch.ops`` whose names begin with an underscore are no private names: they are part of PyTorch's set of
operators, and of its schemas.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "fgcompile"

INTERNALS = {
    "bench/torch_internals.py",
    "bulk/ray_internals.py",
    "cli/transformers_internals.py",
    "compiler/backends/aotinductor/inductor_internals.py",
    "compiler/backends/onnx/exporter_internals.py",
    "compiler/backends/onnx/onnxscript_internals.py",
    "compiler/capture/torchscript_internals.py",
    "compiler/ir/torch_internals.py",
    "runtime/torch_internals.py",
    "serving/rest/uvicorn_internals.py",
}
"""Where private names of other libraries stand."""

UNDOCUMENTED = (
    *("torch.fx.experimental", "onnxscript.optimizer", "onnxscript.rewriter"),
    *("uvicorn.server", "uvicorn.protocols"),
)
"""Modules without an underscore that are as private."""

OWN_MODULES = ("fgcompile", "__future__")
DOCUMENTED = {("os", "_exit"), ("torch", "_check")}
KEYWORDS = {"_extra_files"}
"""Arguments of documented functions; ``torch.jit.save`` takes one."""

FILES = sorted(PACKAGE.rglob("*.py"))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def _of_imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Imported modules and names that are private, or of an undocumented module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name.name}" for name in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] not in OWN_MODULES and (
                any(map(is_private, name.split("."))) or name.startswith(UNDOCUMENTED)
            ):
                yield node.lineno, name


def _of_attributes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Private attributes that this file defines nowhere, of whatever object, ``self`` included."""
    own = set(_defined(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        text = ast.unparse(node)
        if text.startswith(UNDOCUMENTED):
            yield node.lineno, text
        if not is_private(node.attr) or node.attr in own or _is_operator(text):
            continue
        if (text.partition(".")[0], node.attr) not in DOCUMENTED:
            yield node.lineno, text


def _defined(tree: ast.AST) -> Iterator[str]:
    """The names that a file gives: to functions and classes, to variables and fields, to attributes of ``self``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.attr


def _is_operator(text: str) -> bool:
    """Whether an expression is of an operator: ``aten._softmax``, ``torch.ops.mkldnn._convolution_pointwise``."""
    return text.startswith(("aten.", "torch.ops."))


def _of_keywords(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg and is_private(keyword.arg) and keyword.arg not in KEYWORDS:
                    yield node.lineno, f"{ast.unparse(node.func)}({keyword.arg}=…)"


def _of_patches(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Values put into another library's modules or classes: ``torch.nn.Module.x = y``, ``setattr(torch, …)``."""
    foreign = _foreign(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete):
            targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("setattr", "delattr"):
            targets = [ast.Attribute(node.args[0], "…")]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Attribute) and ast.unparse(target.value).partition(".")[0] in foreign:
                yield node.lineno, ast.unparse(node)


def _foreign(tree: ast.AST) -> set[str]:
    """The names that a file imports from elsewhere."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(name.asname or name.name).partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] not in OWN_MODULES:
            found |= {name.asname or name.name for name in node.names}
    return found


def private_uses(source: str) -> list[tuple[int, str]]:
    """The line and the text of each use of what is private to another library."""
    tree = ast.parse(source)
    found = {*_of_imports(tree), *_of_attributes(tree), *_of_keywords(tree), *_of_patches(tree)}
    return sorted(found)


ALLOWED = {
    ("cli/terminal.py", "warnings.showwarning = show_in_one_line"),  # documented as what may be replaced
    ("pictures/sources/raster.py", "Image.MAX_IMAGE_PIXELS = reading.max_pixels"),  # documented as what may be set
    ("pictures/sources/raster.py", "Image.MAX_IMAGE_PIXELS = before"),
    ("compiler/ir/silence.py", "setattr(sys, name, _OfOthers(stream))"),  # the process's own streams
    ("compiler/ir/silence.py", "setattr(sys, name, stream)"),
}
"""Settings of the process that its documentation says may be replaced."""


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_private_names_stand_in_their_files(path: Path) -> None:
    place = str(path.relative_to(PACKAGE))
    if place not in INTERNALS:
        uses = [f"line {line}: {text}" for line, text in private_uses(path.read_text()) if (place, text) not in ALLOWED]
        assert not uses, f"{place}: move these to the file of their library's private names"


def test_there_is_no_other_such_file() -> None:
    assert {str(path.relative_to(PACKAGE)) for path in FILES if path.name.endswith("_internals.py")} == INTERNALS


@pytest.mark.parametrize(
    "source",
    [
        "import torch._inductor",
        "from torch._ops import OpOverload",
        "from torch.utils import _pytree as pytree",
        "from torch.fx.experimental.proxy_tensor import make_fx",
        "import torch\ntorch._C._jit_pass_dce(graph)",
        "import torch\ntorch.fx.experimental.proxy_tensor.make_fx(f)",
        "if node._erased: pass",
        "def f(operator): return operator._schema",
        "class Server(ModelServer):\n    def start(self): return self._serve()",
        "make_fx(f, _allow_non_fake_inputs=True)",
        "import torch\ntorch.nn.Module.__call__ = call",
        "from torch import nn\nsetattr(nn.Module, 'forward', call)",
    ],
)
def test_private_uses_are_seen(source: str) -> None:
    assert private_uses(source)


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.ops.aten._softmax.default(x, 1, False)",
        "aten._softmax.default",
        "from fgcompile._version import __version__",
        "class Own:\n    def __init__(self): self._x = 1\n    def get(self): return self._x",
        "def copy(other): other.weight = 1",
    ],
)
def test_public_uses_and_our_own_names_pass(source: str) -> None:
    assert not private_uses(source)
