"""From the float64 that a program is checked in to the precision that its artifact computes in."""

from __future__ import annotations

from dataclasses import replace

import torch

from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.programs import FusedProgram, ValueSpec
from fgcompile.compiler.ir.runner import run_passes
from fgcompile.compiler.passes.precision.convert_floats import convert_floats
from fgcompile.compiler.passes.precision.late_scales import late_scales
from fgcompile.compiler.passes.precision.lower_precision import lower_precision
from fgcompile.compiler.passes.precision.narrow_joins import narrow_joins


def in_precision(program: FusedProgram, precision: str) -> FusedProgram:
    """The program in float32, its network in half precision if that is asked for."""

    def single(specs: tuple[ValueSpec, ...]) -> tuple[ValueSpec, ...]:
        return tuple(
            replace(
                spec,
                dtype=spec.dtype.replace("float64", "float32"),
                default=None if spec.default is None else spec.default.float(),
            )
            for spec in specs
        )

    graph_module = copy_graph(program.graph_module)
    passes = [convert_floats(torch.float32)]
    if precision != "float32":
        passes += [late_scales, lower_precision(getattr(torch, precision)), narrow_joins]
    run_passes(graph_module, passes)
    return replace(
        program,
        graph_module=graph_module,
        inputs=single(program.inputs),
        outputs=single(program.outputs),
        dtype=torch.float32,
    )
