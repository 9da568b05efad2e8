"""The plain model and the fused artifact in each runtime."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

import fgcompile
from benchmarks.harness.once import once
from benchmarks.latency.cuda_graphs import captured
from benchmarks.latency.workload import Call, Candidate, Workload
from fgcompile.artifact.names import SUFFIXES

FORWARD, FUSED = "forward only", "fused artifact"


def export_onnx(workload: Workload) -> Path:
    """The plain model as PyTorch exports it, for the workload's batch alone: all that a runtime can make use of."""

    def write(path: Path) -> None:
        on_cpu = replace(workload, device="cpu")
        torch.onnx.export(on_cpu.network(), (on_cpu.inputs(),), path, dynamo=True, verbose=False, external_data=False)

    return once(_forward_path(workload, ".onnx"), write)


def compile_artifact(format: str, workload: Workload) -> Path:
    """The fused artifact, compiled once for all batches; for the workload's device where the format depends on it."""

    def write(path: Path) -> None:
        given = workload.single()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fgcompile.RulesWarning)  # the rival's gradients are Taylor's, too
            artifact = fgcompile.compile(
                given.network(),
                given.inputs(batch=1),
                format=format,
                device=workload.device,
                precision=workload.dtype,
                rules="taylor",
                psi="fullgrad",
            )
        artifact.save(path)

    return once(workload.folder / f"fused-{workload.dtype}{SUFFIXES[format]}", write)


def _forward_path(workload: Workload, suffix: str) -> Path:
    return workload.folder / f"forward-{workload.precision}-{workload.batch}{suffix}"


def call_session(format: str, providers: Sequence[str] | None, workload: Workload) -> Call:
    """The fused artifact as users run it, on the CPU."""
    path = compile_artifact(format, workload)
    session = fgcompile.load(path, providers=providers, threads=workload.threads)
    x, target = (spec["name"] for spec in session.metadata["inputs"])
    given = workload.single()
    return partial(session.run, {x: given.inputs().numpy(), target: given.target().numpy()})


def call_onnx(
    path: Path, feeds: Sequence[NDArray[Any]], workload: Workload, outputs: Sequence[int] = (), graph: bool = False
) -> Call:
    """An ONNX file in ONNX Runtime on the workload's device; on a GPU with inputs and outputs kept there.

    Args:
        path: The file.
        feeds: Its inputs in order.
        workload: Gives threads and device.
        outputs: Positions of the outputs to compute, all if none are given.
        graph: Whether calls are to be replays of a CUDA graph.
    """
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = workload.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_free_dimension_override_by_name("nadj", 1)  # of onnx-ad: the number of gradients
    cuda = (
        "CUDAExecutionProvider",
        {"use_tf32": str(int(workload.precision == "tf32")), "enable_cuda_graph": str(int(graph))},
    )
    provider = {"cpu": ("CPUExecutionProvider", {}), "cuda": cuda}[workload.device]
    session = onnxruntime.InferenceSession(path, options, providers=[provider])
    if provider[0] not in session.get_providers():
        raise RuntimeError(f"{provider[0]} did not start")
    names = [spec.name for spec in session.get_inputs()]
    wanted = [spec.name for i, spec in enumerate(session.get_outputs()) if not outputs or i in outputs]
    given = dict(zip(names, feeds, strict=True))
    if workload.device == "cpu":
        return partial(session.run, wanted, given)
    from fgcompile.runtime.onnxruntime_binding import bind  # imports onnxruntime

    binding, _, _ = bind(session, given, wanted, "cuda")
    return partial(session.run_with_iobinding, binding)


def forward_onnx(workload: Workload, graph: bool = False) -> Call:
    """The plain model in ONNX Runtime."""
    return call_onnx(export_onnx(workload), [workload.inputs().cpu().numpy()], workload, graph=graph)


def fused_onnx(workload: Workload, graph: bool = False) -> Call:
    """The fused artifact in ONNX Runtime."""
    if workload.device == "cpu":
        return call_session("onnx", ["CPUExecutionProvider"], workload)
    given = workload.single()
    feeds = [given.inputs().numpy(), given.target().numpy()]
    return call_onnx(compile_artifact("onnx", workload), feeds, workload, graph=graph)


def trace(workload: Workload) -> Path:
    """The plain model, traced and frozen."""

    def write(path: Path) -> None:
        with torch.no_grad():  # with gradients PyTorch's attention takes another way the second time
            traced = torch.jit.trace(workload.network(), workload.inputs())  # type: ignore[no-untyped-call]
        torch.jit.save(torch.jit.freeze(traced), path)

    return once(_forward_path(workload, ".pt"), write)


def forward_torchscript(workload: Workload) -> Call:
    """The plain model in PyTorch's TorchScript interpreter."""
    module = torch.jit.load(trace(workload), map_location=workload.device)  # type: ignore[no-untyped-call]
    return torch.inference_mode()(partial(module, workload.inputs()))


def fused_torchscript(workload: Workload) -> Call:
    """The fused artifact in PyTorch's TorchScript interpreter."""
    if workload.device == "cpu":
        return call_session("torchscript", None, workload)
    path = compile_artifact("torchscript", workload)
    module = torch.jit.load(path, map_location=workload.device)  # type: ignore[no-untyped-call]
    return torch.inference_mode()(partial(module, workload.inputs().float(), workload.target()))


def package(workload: Workload) -> Path:
    """The plain model as an AOTInductor package, constants frozen into it."""

    def write(path: Path) -> None:
        with torch.no_grad():
            program = torch.export.export(workload.network(), (workload.inputs(),))
            torch._inductor.aoti_compile_and_package(
                program, package_path=str(path), inductor_configs={"freezing": True}
            )

    return once(_forward_path(workload, ".pt2"), write)


def forward_aotinductor(workload: Workload) -> Call:
    """The plain model compiled by AOTInductor."""
    return torch.inference_mode()(partial(_load_package(package(workload)), workload.inputs()))


def fused_aotinductor(workload: Workload) -> Call:
    """The fused artifact compiled by AOTInductor."""
    if workload.device == "cpu":
        return call_session("pt2", None, workload)
    compiled = _load_package(compile_artifact("pt2", workload))
    return torch.inference_mode()(partial(compiled, workload.inputs().float(), workload.target()))


def _load_package(path: Path) -> Callable[..., Any]:
    """A package whose calls come from one thread: the events that several need cannot be captured in a CUDA graph."""
    compiled: Callable[..., Any] = torch._inductor.aoti_load_package(str(path), run_single_threaded=True)
    return compiled


def forward_openvino(workload: Workload) -> Call:
    """The plain model in OpenVINO, in float32 as everything else."""
    import openvino  # type: ignore[import-not-found, import-untyped, unused-ignore]

    settings = {
        "INFERENCE_NUM_THREADS": workload.threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = openvino.Core().compile_model(export_onnx(workload), "CPU", settings).create_infer_request()
    return partial(request.infer, [workload.inputs().numpy()])


_ONNXRUNTIME = Candidate(
    "onnxruntime.forward",
    FORWARD,
    "ONNX Runtime",
    "forward",
    forward_onnx,
    prepare=export_onnx,
    packages=(("onnxruntime", "onnxruntime"),),
)
_TORCHSCRIPT = Candidate("torchscript.forward", FORWARD, "TorchScript", "forward", forward_torchscript, prepare=trace)
_AOTINDUCTOR = Candidate("aotinductor.forward", FORWARD, "AOTInductor", "forward", forward_aotinductor, prepare=package)
_OPENVINO = Candidate(
    "openvino.forward",
    FORWARD,
    "OpenVINO",
    "forward",
    forward_openvino,
    prepare=export_onnx,
    devices=("cpu",),
    packages=(("openvino", "openvino"),),
)


def _beside(forward: Candidate, format: str, load: Callable[[Workload], Call]) -> tuple[Candidate, Candidate]:
    """The two rows of a runtime: the plain model and the fused artifact."""
    key = f"{forward.key.removesuffix('.forward')}.fused"
    prepare = partial(compile_artifact, format)
    return forward, replace(forward, key=key, label=FUSED, role="fused", load=load, prepare=prepare, format=format)


def _replayed(
    runtime: tuple[Candidate, Candidate], load: Sequence[Callable[[Workload], Call]]
) -> tuple[Candidate, Candidate]:
    """The same two rows as replays of CUDA graphs."""
    name = runtime[0].key.removesuffix(".forward")
    label = f"{runtime[0].runtime}, CUDA graph"
    forward, fused = (
        replace(row, key=row.key.replace(name, f"{name}-graph"), runtime=label, load=loaded, devices=("cuda",))
        for row, loaded in zip(runtime, load, strict=True)
    )
    return forward, fused


_ON_ALL = {
    "onnxruntime": _beside(_ONNXRUNTIME, "onnx", fused_onnx),
    "torchscript": _beside(_TORCHSCRIPT, "torchscript", fused_torchscript),
    "aotinductor": _beside(_AOTINDUCTOR, "pt2", fused_aotinductor),
}

RUNTIMES: dict[str, tuple[Candidate, Candidate]] = {
    **_ON_ALL,
    "onnxruntime-graph": _replayed(
        _ON_ALL["onnxruntime"], [partial(forward_onnx, graph=True), partial(fused_onnx, graph=True)]
    ),
    "torchscript-graph": _replayed(
        _ON_ALL["torchscript"], [captured(forward_torchscript), captured(fused_torchscript)]
    ),
    "aotinductor-graph": _replayed(
        _ON_ALL["aotinductor"], [captured(forward_aotinductor), captured(fused_aotinductor)]
    ),
    "openvino": _beside(_OPENVINO, "onnx", partial(call_session, "onnx", ["OpenVINO"])),
}
"""By name on the command line: the plain model and the fused artifact."""
