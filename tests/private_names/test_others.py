"""Each private name of Inductor, TorchScript, onnxscript, Transformers, uvicorn and Ray does what is expected of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor


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
    transformers = pytest.importorskip("transformers", reason="needs transformers: pip install transformers")
    from fgcompile.cli.transformers_internals import from_config

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    config = transformers.ViTConfig(**sizes, image_size=8, patch_size=4)
    for kind in (transformers.ViTModel, transformers.AutoModel):
        assert isinstance(from_config(kind, config), transformers.ViTModel)


def test_uvicorn_makes_a_protocol_for_one_connection() -> None:
    """``tests/serving`` has it answer."""
    pytest.importorskip("uvicorn", reason="needs uvicorn: pip install 'fgcompile[serve]'")
    import asyncio

    from fgcompile.serving.rest.uvicorn_internals import HttpProtocols

    async def make() -> asyncio.Protocol:
        protocols = HttpProtocols(None, 1 << 14, 5.0)
        assert protocols.working == 0
        return protocols.make()

    protocol = asyncio.run(make())
    assert all(callable(getattr(protocol, name)) for name in ("data_received", "connection_lost", "eof_received"))


def test_ray_reads_the_variables_and_names_checkpoints_so() -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install 'fgcompile[ray]'")
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
