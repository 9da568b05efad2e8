"""What is done to a graph within Inductor, between its own passes."""

from __future__ import annotations

from typing import Any

from torch import fx

from fgcompile.compiler.backends.aotinductor.inductor_internals import CustomGraphPass
from fgcompile.compiler.backends.aotinductor.keep_sums_apart import keep_sums_apart
from fgcompile.compiler.backends.aotinductor.pack_weights import pack_weights
from fgcompile.compiler.ir.runner import run_passes


class ForProcessors(CustomGraphPass):
    """For oneDNN: over a graph whose weights are constants, before Inductor joins what follows convolutions to them."""

    def __call__(self, graph: fx.Graph) -> None:
        """Rewrites the graph in place."""
        assert graph.owning_module is not None
        run_passes(graph.owning_module, [pack_weights, keep_sums_apart])

    def uuid(self) -> Any:
        """What tells this pass from others in Inductor's caches."""
        return __name__
