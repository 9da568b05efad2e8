"""Constants that a rewrite adds to an exported program: lifted inputs, as the program's own are."""

from __future__ import annotations

from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.export.graph_signature import ExportGraphSignature, InputKind, InputSpec, TensorArgument

from fgcompile.compiler.ir.graphs import fake, fake_mode
from fgcompile.compiler.ir.nodes import free_name


class Constants:
    """What is added to a program while its graph, or a copy of that, is rewritten."""

    def __init__(self, exported: ExportedProgram, graph: fx.Graph) -> None:
        self._exported, self._graph = exported, graph
        self._specs: list[InputSpec] = []
        self._values: dict[str, Tensor] = {}

    def add(self, stem: str, value: Tensor) -> fx.Node:
        """The placeholder of a constant, in front of all others; its name begins with ``stem``."""
        name = free_name(stem, {*self._exported.constants, *(node.name for node in self._graph.nodes)})
        with self._graph.inserting_before(next(iter(self._graph.nodes))):
            node: fx.Node = self._graph.placeholder(name)
        node.meta["val"] = fake(value, fake_mode(self._graph))
        self._values[name] = value
        self._specs.insert(0, InputSpec(InputKind.CONSTANT_TENSOR, TensorArgument(node.name), name, None))
        return node

    def program(self, graph_module: fx.GraphModule) -> ExportedProgram:
        """The program of the rewritten graph, with the constants."""
        graph_module.recompile()
        old = self._exported
        return ExportedProgram(
            root=graph_module,
            graph=graph_module.graph,
            graph_signature=ExportGraphSignature(
                [*self._specs, *old.graph_signature.input_specs], list(old.graph_signature.output_specs)
            ),
            state_dict=old.state_dict,
            range_constraints=old.range_constraints,
            module_call_graph=old.module_call_graph,
            example_inputs=old.example_inputs,
            constants={**old.constants, **self._values},
            verifiers=old.verifiers,
        )
