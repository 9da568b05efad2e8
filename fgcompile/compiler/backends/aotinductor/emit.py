"""AOTInductor: the fused graph as C++ (or Triton) kernels in a shared library, packed as a PyTorch ``.pt2`` package.

The library holds the weights, so that they are in the package once, and is compiled for one device: the processor's own
vector instructions on the CPU, the graphics card's architecture on CUDA.

A package on demand holds two libraries, since an AOTInductor graph has no branch whose weights it could lay out when
compiling: ``predict`` takes the inputs and returns the logits and what the explanation needs of the prediction;
``explain`` takes these and the inputs, and returns the other outputs.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.passes import move_to_device_pass

from fgcompile.artifact.names import EXPLAIN, MODEL, PREDICT
from fgcompile.artifact.seal import seal_zip
from fgcompile.artifact.signature import PROGRAM_SIGNATURE, SIGNATURE
from fgcompile.compiler.backends.aotinductor.flat_products import flat_products
from fgcompile.compiler.backends.aotinductor.held_indices import held_indices
from fgcompile.compiler.backends.aotinductor.rows_of_features import rows_of_features
from fgcompile.compiler.backends.aotinductor.single_columns import single_columns
from fgcompile.compiler.backends.aotinductor.single_rows import single_rows
from fgcompile.compiler.backends.aotinductor.stack_channels_last import stack_channels_last
from fgcompile.compiler.backends.aotinductor.unambiguous_layouts import unambiguous_layouts
from fgcompile.compiler.backends.aotinductor.uneven_sizes import uneven_sizes
from fgcompile.compiler.backends.archive import extra_files, with_extra_files, write_archive
from fgcompile.compiler.backends.divide import divide
from fgcompile.compiler.backends.exported import as_exported
from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.programs import FusedProgram
from fgcompile.compiler.ir.runner import dump_stage, run_passes
from fgcompile.compiler.ir.silence import silenced
from fgcompile.errors import InputError, MissingPackageError, UnsupportedOpError, first_line
from fgcompile.system.leftovers import temporary_folder

OPTIONS: dict[str, Any] = {
    # Weights become constants, which oneDNN lays out once, when compiling: docs/decisions/packed-weights.md.
    "freezing": True,
    # The number of threads is a setting of the session, not of the machine that compiles.
    "cpp.dynamic_threads": True,
    "aot_inductor.package": True,
    # What would make each library another: file names, line numbers, and checks that quote addresses of this process.
    "aot_inductor.model_name_for_generated_files": "model",
    "aot_inductor.enable_line_tables": False,
    "size_asserts": False,
    "alignment_asserts": False,
}

FOR_PROCESSORS = (
    unambiguous_layouts,
    flat_products,
    single_rows,
    stack_channels_last,
    rows_of_features,
    single_columns,
)
"""The passes over a graph that is to run on a processor."""


def emit_pt2(program: FusedProgram) -> bytes:
    """The artifact's bytes: a package for ``torch._inductor.aoti_load_package`` with the extra file ``fgcompile.json``.

    Raises:
        MissingPackageError: There is no C++ compiler.
        InputError: There is no such device.
        UnsupportedOpError: Inductor cannot compile the graph.
    """
    _require_compiler()
    device = str(program.metadata["device"])
    program = replace(program, graph_module=copy_graph(program.graph_module))
    run_passes(program.graph_module, [uneven_sizes])
    files = {}
    # Without gradients, since only then does Inductor freeze the weights.
    with temporary_folder() as folder, silenced("torch._inductor"), torch.no_grad():
        for name, graph_module in _models(program).items():
            dump_stage(name, graph_module)
            run_passes(graph_module, [held_indices])
            if device == "cpu":
                run_passes(graph_module, FOR_PROCESSORS)
            try:
                exported = _on_device(as_exported(graph_module), device)
                options = {**_passes(device), **_facts(program)}
                files[name] = _compiled(exported, f"{folder}/{name}", options)
            except RuntimeError as error:
                raise UnsupportedOpError(
                    f"AOTInductor cannot compile the fused graph ({first_line(error)}): compile to another format"
                ) from error
        return seal_zip(write_archive(_packed(files, folder, extra_files(program, defaults=True))))


def _models(program: FusedProgram) -> dict[str, fx.GraphModule]:
    """The graphs of a package by the names of their models."""
    if not program.on_demand:
        return {MODEL: program.graph_module}
    halves = divide(program)
    return {PREDICT: halves.predict, EXPLAIN: halves.explain}


def _passes(device: str) -> dict[str, Any]:
    """The passes that Inductor is to run beside its own."""
    if device != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return {}
    from fgcompile.compiler.backends.aotinductor.inductor_internals import (
        PASSES_OPTION,  # takes a second, so that only this format pays for it
    )
    from fgcompile.compiler.backends.aotinductor.inductor_pass import ForProcessors

    return {PASSES_OPTION: ForProcessors()}


def _facts(program: FusedProgram) -> dict[str, Any]:
    """What the library says of itself, beside the metadata of the file: which tensors it takes and returns."""
    return {"aot_inductor.metadata": {PROGRAM_SIGNATURE: program.metadata[SIGNATURE]}}


def _compiled(exported: ExportedProgram, folder: str, more: Mapping[str, Any]) -> Any:
    """The files that AOTInductor writes for a graph."""
    from fgcompile.compiler.backends.aotinductor.inductor_internals import aot_compile, list_options

    examples = tuple(node.meta["val"] for node in exported.graph.find_nodes(op="placeholder"))
    examples = examples[len(exported.graph_signature.buffers) :]
    known = list_options()
    options = {name: value for name, value in OPTIONS.items() if name in known}
    return aot_compile(exported.module(), examples, options={**options, **more, "aot_inductor.output_path": folder})


def _require_compiler() -> None:
    from fgcompile.compiler.backends.aotinductor.inductor_internals import InvalidCxxCompiler, get_cpp_compiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        raise MissingPackageError(
            "compiling to pt2 needs a C++ compiler: install g++, or name another in the environment variable CXX"
        ) from error


def _on_device(exported: ExportedProgram, device: str) -> ExportedProgram:
    """The program on the device that its package is to run on."""
    if device == "cpu":
        return exported
    if not torch.cuda.is_available():
        raise InputError(f"device is {device!r}, and torch finds no CUDA here: compile on the machine that serves")
    return move_to_device_pass(exported, device)


EMPTIED = re.compile(r"\.cpp$")
"""The library's source, which no runtime needs; but PyTorch 2.11 infers the names of other files from its name."""

_BUILD_ID = re.compile(rb"(?<=\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0).{20}", re.DOTALL)
"""The linker's identifier in a shared library's notes: a checksum over all else."""


def _packed(files: dict[str, Any], folder: str, extra_files: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """The package's files without what changes from run to run: some name the folder that they were compiled in."""
    from fgcompile.compiler.backends.aotinductor.inductor_internals import package_aoti

    buffer = io.BytesIO()
    package_aoti(buffer, files)
    compiled, nowhere = folder.encode(), b"/" * len(folder)
    for name, content in with_extra_files(buffer, extra_files):
        content = b"" if EMPTIED.search(name) else content.replace(compiled, nowhere)
        yield name, _BUILD_ID.sub(bytes(20), content, count=1) if name.endswith(".so") else content
