"""An exported program: the fused graph as ``torch.export`` saves one, to be a module on any device again."""

from __future__ import annotations

import io

import torch

from fgcompile.artifact.seal import seal_zip
from fgcompile.artifact.signature import PROGRAM_SIGNATURE, SIGNATURE
from fgcompile.compiler.backends.archive import extra_files, with_extra_files, write_archive
from fgcompile.compiler.backends.exported import as_exported
from fgcompile.compiler.ir.programs import FusedProgram
from fgcompile.compiler.ir.runner import dump_stage
from fgcompile.compiler.ir.torch_internals import open_ranges


def emit_program(program: FusedProgram) -> bytes:
    """The artifact's bytes: what ``torch.export.load`` reads, with the extra file ``fgcompile.json``.

    The program takes the artifact's inputs and returns its outputs, both in order.
    """
    dump_stage("exported", program.graph_module)
    exported = as_exported(program.graph_module)
    inputs = program.graph_module.graph.find_nodes(op="placeholder")
    exported.range_constraints.update(open_ranges(size for node in inputs for size in node.meta["val"].shape))
    # The one place that PyTorch keeps for others' words.
    exported.graph_module.meta["custom"] = {PROGRAM_SIGNATURE: program.metadata[SIGNATURE]}
    buffer = io.BytesIO()
    torch.export.save(exported, buffer)
    return seal_zip(write_archive(with_extra_files(buffer, extra_files(program, defaults=True))))
