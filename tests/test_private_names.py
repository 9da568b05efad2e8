"""What other libraries do not promise to keep is used in a few files, which name it all; each such name is tried here.

So an upgrade that takes one away fails in this file and is mended in one of those. Operators of ``torch.ops`` whose
names begin with an underscore are no private names: they are part of PyTorch's operator set, and of its schemas.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.export import Dim

PACKAGE = Path(__file__).parent.parent / "fgcompile"

INTERNALS = {
    "bench/torch_internals.py",
    "bulk/ray_internals.py",
    "cli/transformers_internals.py",
    "compiler/backends/aotinductor/inductor_internals.py",
    "compiler/backends/onnx/onnxscript_internals.py",
    "compiler/ir/torch_internals.py",
    "runtime/torch_internals.py",
    "serving/kserve/sdk_internals.py",
}
"""Where private names of other libraries stand."""

UNDOCUMENTED = (
    *("torch.fx.experimental", "onnxscript.optimizer", "onnxscript.rewriter"),
    *("kserve.protocol", "kserve.utils", "kserve.constants", "kserve.logging", "kserve.model_server"),
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
    ("serving/server.py", "sys.argv = arguments[:1]"),  # the process's own, which KServe reads when it is imported
    ("serving/server.py", "sys.argv = arguments"),
    ("cli/terminal.py", "warnings.showwarning = show_in_one_line"),  # documented as what may be replaced
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


# Each private name does what is expected of it.


def test_operators_have_schemas() -> None:
    from fgcompile.compiler.ir.torch_internals import OperatorBase, OpOverload, argument_names, schema_of

    operator = torch.ops.aten.add_.Tensor
    assert isinstance(operator, OpOverload)
    assert isinstance(operator, OperatorBase)
    assert argument_names(operator) == ["self", "other", "alpha"]
    schema = schema_of(operator)
    assert schema.is_mutable
    assert [argument.kwarg_only for argument in schema.arguments] == [False, False, True]
    assert (schema.arguments[2].has_default_value(), schema.arguments[2].default_value) == (True, 1)
    assert len(schema.returns) == 1


def test_below_autograd_there_is_no_derivative() -> None:
    from fgcompile.compiler.ir.torch_internals import below_autograd

    x = torch.ones(2, requires_grad=True)
    with below_autograd():
        assert not torch.ops.aten.mul.Tensor(x, x).requires_grad
    assert torch.ops.aten.mul.Tensor(x, x).requires_grad


def _symbolic(size: int = 6) -> Tensor:
    """A fake tensor ``(size, 3)`` whose first size is a symbol."""
    from fgcompile.compiler.ir import torch_internals as internals

    mode = internals.FakeTensorMode(shape_env=internals.ShapeEnv(), allow_non_fake_inputs=True)
    dynamic = [internals.DimDynamic.DYNAMIC, internals.DimDynamic.STATIC]
    context = internals.StatelessSymbolicContext(dynamic_sizes=dynamic)
    return mode.from_tensor(torch.ones(size, 3), symbolic_context=context)


def test_fake_tensors_have_symbolic_sizes() -> None:
    from fgcompile.compiler.ir import torch_internals as internals

    value: Any = _symbolic()
    assert isinstance(value, internals.FakeTensor)
    assert isinstance(value.fake_mode, internals.FakeTensorMode)
    doubled = value.shape[0] * 2
    factor, symbol = internals.expression(doubled).as_coeff_Mul()
    assert (int(factor), str(symbol)) == (2, str(value.shape[0]))
    assert not internals.expression(doubled).is_number
    assert internals.example(doubled) == 12
    assert isinstance(value.fake_mode.from_tensor(torch.ones(4), static_shapes=True).shape[0], int)
    assert not internals.free_unbacked_symbols(value)
    assert internals.free_unbacked_symbols(value.fake_mode.shape_env.create_unbacked_symint())


def test_contiguity_is_asked_without_fixing_a_size() -> None:
    from fgcompile.compiler.ir.torch_internals import is_contiguous_or_false

    value = _symbolic()
    assert is_contiguous_or_false(value)
    assert not is_contiguous_or_false(value.t())
    assert isinstance(value.shape[0], torch.SymInt)


def test_the_python_dispatcher_leaves_sizes_symbolic() -> None:
    from fgcompile.compiler.ir.torch_internals import enable_python_dispatcher

    value: Any = _symbolic()
    with value.fake_mode, enable_python_dispatcher():
        result = torch.ops.aten.reshape.default(value, [value.shape[0] * 3])
    assert isinstance(result.shape[0], torch.SymInt)


def test_modes_are_set_aside() -> None:
    from fgcompile.compiler.ir.torch_internals import FakeTensor, FakeTensorMode, without_modes

    with FakeTensorMode():
        assert isinstance(torch.ones(1), FakeTensor)
        with without_modes():
            assert not isinstance(torch.ones(1), FakeTensor)


def test_trees_are_flattened_and_put_together() -> None:
    from fgcompile.compiler.ir.torch_internals import pytree

    tree = {"a": (1, [2]), "b": torch.ones(1)}
    leaves, spec = pytree.tree_flatten(tree)
    assert isinstance(spec, pytree.TreeSpec)
    assert pytree.tree_unflatten(leaves, spec) == tree
    assert pytree.tree_leaves((1, [2])) == [1, 2]
    assert pytree.tree_map(lambda value: value + 1, (1, [2])) == (2, [3])
    assert pytree.tree_map_only(int, lambda value: -value, (1, "x")) == (-1, "x")


def test_functions_are_traced_and_nodes_found() -> None:
    from fgcompile.compiler.ir.torch_internals import make_fx, traced_node

    aten, constant = torch.ops.aten, torch.ones(3)
    found = []

    def function(x: Tensor) -> Tensor:
        y = torch.relu(x)
        found.extend([traced_node(y), traced_node(constant)])
        return y + constant

    graph = make_fx(function, {aten.relu.default: lambda x: aten.clamp.default(x, 0)})(torch.ones(5, 3)).graph
    assert [node.target for node in graph.nodes if node.op == "call_function"] == [
        aten.clamp.default,
        aten.add.Tensor,
    ]
    assert found[0] is not None
    assert found[0].target is aten.clamp.default
    assert found[1] is None
    assert traced_node(constant) is None


class _Fixed(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(2, 12)


class _Deciding(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.sum() > 0 else x


class _Failing(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("a batch that is specialized to a constant by data-dependent control flow")


@pytest.mark.parametrize(
    ("model", "constraint", "values"), [(_Fixed(), True, False), (_Deciding(), False, True), (_Failing(), False, False)]
)
def test_failures_of_export_are_told_apart(model: torch.nn.Module, constraint: bool, values: bool) -> None:
    from fgcompile.compiler.ir.torch_internals import depends_on_values, violates_a_constraint

    with pytest.raises(Exception) as caught:  # noqa: PT011  # of whatever class: that is the question
        torch.export.export(model, (torch.zeros(2, 3, 4),), dynamic_shapes=({0: Dim("batch")},), strict=False)
    assert violates_a_constraint(caught.value) is constraint
    assert depends_on_values(caught.value) is values


def test_an_operator_without_a_derivative_is_told_by_type() -> None:
    """What ``fullgrad.differentiate`` counts on; the class is Python's own."""
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(NotImplementedError, match="derivative"):
        torch.autograd.grad(torch.special.zeta(x + 2, x).sum(), x)


def test_inductor_has_what_the_back_end_calls() -> None:
    from fgcompile.compiler.backends.aotinductor import inductor_internals as inductor
    from fgcompile.compiler.backends.aotinductor.emit import OPTIONS
    from fgcompile.compiler.backends.aotinductor.inductor_pass import ForProcessors

    known = inductor.list_options()
    assert inductor.PASSES_OPTION in known
    assert {"freezing", "cpp.dynamic_threads", "aot_inductor.package", "aot_inductor.output_path"} <= set(known)
    assert OPTIONS.keys() - set(known) <= {"aot_inductor.enable_line_tables"}
    assert issubclass(ForProcessors, inductor.CustomGraphPass)
    assert issubclass(inductor.InvalidCxxCompiler, Exception)
    assert all(map(callable, (inductor.aot_compile, inductor.package_aoti, inductor.get_cpp_compiler)))


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch is built without oneDNN")
def test_onednn_has_the_operators_that_passes_rewrite() -> None:
    from fgcompile.compiler.ir.torch_internals import argument_names

    operators = torch.ops.mkldnn
    first = argument_names(operators._convolution_pointwise.default)[:7]
    assert first == ["X", "W", "B", "padding", "stride", "dilation", "groups"]
    order = argument_names(operators._reorder_convolution_weight.default)
    assert order[1:5] == ["padding", "stride", "dilation", "groups"]


def test_a_package_that_is_none_is_refused_by_its_reader(tmp_path: Path) -> None:
    from fgcompile.runtime.torch_internals import load_models

    (tmp_path / "model.pt2").write_bytes(b"no package")
    with pytest.raises(RuntimeError):
        load_models(str(tmp_path / "model.pt2"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_graphs_lose_dead_code_and_become_functions() -> None:
    from fgcompile.bench.torch_internals import as_function, eliminate_dead_code

    def function(x: Tensor) -> Tensor:
        x.sin()
        return x * 2

    graph = torch.jit.script(function).graph.copy()
    eliminate_dead_code(graph)
    assert "sin" not in str(graph)
    assert torch.equal(as_function(graph)(torch.ones(2)), torch.full((2,), 2.0))


def test_onnxscript_folds_and_has_the_rules() -> None:
    import inspect

    from fgcompile.compiler.backends.onnx import onnxscript_internals as onnxscript
    from fgcompile.compiler.backends.onnx.simplify import _RULES

    assert "onnx_shape_inference" in inspect.signature(onnxscript.fold_constants_ir).parameters
    assert all(isinstance(rule, onnxscript.RewriteRule) for rules in _RULES.values() for rule in rules)
    assert callable(onnxscript.RewritePass)


def test_transformers_makes_an_untrained_model_of_a_configuration() -> None:
    transformers = pytest.importorskip("transformers")
    from fgcompile.cli.transformers_internals import from_config

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    config = transformers.ViTConfig(**sizes, image_size=8, patch_size=4)
    for kind in (transformers.ViTModel, transformers.AutoModel):
        assert isinstance(from_config(kind, config), transformers.ViTModel)


def test_kserve_has_what_our_listeners_override() -> None:
    pytest.importorskip("kserve")
    from kserve import InferInput

    from fgcompile.serving.kserve import sdk_internals as sdk

    tensor = InferInput("x", [2], "UINT8")
    assert sdk.raw_bytes(tensor) is None
    sdk.set_raw_bytes(tensor, b"ab")
    assert tensor.as_numpy().tolist() == [97, 98]
    for kind, methods in (
        (sdk.Server, ("_register_and_check_atleast_one_model_is_ready", "_serve", "register_signal_handler")),
        (sdk.RestServer, ("create_application", "start")),
        (sdk.GrpcServer, ("start", "stop")),
        (sdk.DataPlane, ("decode_inference_request",)),
    ):
        base = kind if kind is sdk.DataPlane else kind.__bases__[0]
        assert all(callable(getattr(base, method, None)) for method in methods), kind


def test_ray_reads_the_variables_and_names_checkpoints_so() -> None:
    pytest.importorskip("ray")
    import inspect

    from ray._private import ray_constants, services
    from ray.data.checkpoint import checkpoint_writer

    from fgcompile.bulk import ray_internals as internals

    sources = inspect.getsource(ray_constants) + inspect.getsource(services)
    assert internals.LOOPBACK[0].removeprefix("RAY_") in sources
    assert f"{checkpoint_writer.PENDING_CHECKPOINT_SUFFIX}.parquet" == internals.PENDING


def test_the_line_of_a_workers_traceback_that_says_most() -> None:
    """``tests/bulk/test_run.py`` has a run whose worker really fails."""
    from fgcompile.bulk.ray_internals import failure_of_worker

    text = "\x1b[36mray::MapWorker.submit()\x1b[39m (pid=1)\nTraceback (most recent call last):\nValueError: deep\n"
    assert failure_of_worker(text) == "ValueError: deep"
    assert failure_of_worker(f"{text}fgcompile.errors.OutputError: the disk is full\n") == "the disk is full"
    assert failure_of_worker("lost") == "lost"
