"""TorchScript: the fused graph's own code, scripted; runs in libtorch and in any PyTorch, without fgcompile."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from functools import partial
from typing import Optional

import torch
from torch import Tensor, fx

from fgcompile.artifact.names import EXPLAIN, MODEL, PREDICT, is_predicted
from fgcompile.artifact.seal import seal_zip
from fgcompile.artifact.signature import PROGRAM_SIGNATURE, SIGNATURE
from fgcompile.compiler.backends.archive import extra_files, write_archive
from fgcompile.compiler.backends.divide import divide
from fgcompile.compiler.backends.torchscript.resolve_overloads import resolve_overloads
from fgcompile.compiler.backends.torchscript.write_out_addmm import write_out_addmm
from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.programs import FusedProgram
from fgcompile.compiler.ir.runner import GraphPass, dump_stage, run_passes
from fgcompile.compiler.ir.sizes import samples_axis
from fgcompile.errors import UnsupportedOpError, first_line


def emit_torchscript(program: FusedProgram) -> bytes:
    """The artifact's bytes: a TorchScript archive with the metadata as the extra file ``fgcompile.json``.

    Raises:
        UnsupportedOpError: An operator of the graph cannot be scripted.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit is deprecated, and asked for by name
        warnings.simplefilter("ignore", UserWarning)  # of annotations in the code that torch.fx generates
        try:
            scripted = _divided(program) if program.on_demand else _whole(program)
            scripted = torch.jit.freeze(scripted, preserved_attrs=[PROGRAM_SIGNATURE])
        except RuntimeError as error:
            raise UnsupportedOpError(
                f"the fused graph cannot be scripted: {first_line(error)}; "
                "compile to another format, or replace the operator"
            ) from error
        buffer = io.BytesIO()
        torch.jit.save(scripted, buffer, _extra_files=extra_files(program))
    return seal_zip(_reproducible(buffer.getvalue()))


def _whole(program: FusedProgram) -> torch.jit.ScriptModule:
    graph_module = copy_graph(program.graph_module)
    setattr(graph_module, PROGRAM_SIGNATURE, program.metadata[SIGNATURE])
    return _script(MODEL, graph_module, program)


def _divided(program: FusedProgram) -> torch.jit.ScriptModule:
    """Prediction and explanation as two modules, the second called where the input ``explain`` is true."""
    halves = divide(program)
    parts = torch.nn.Module()
    setattr(parts, PROGRAM_SIGNATURE, program.metadata[SIGNATURE])
    parts.predict, parts.explain = (
        _script(name, part, program) for name, part in ((PREDICT, halves.predict), (EXPLAIN, halves.explain))
    )
    module: torch.jit.ScriptModule = torch.jit.script(parts)
    # TorchScript compiles text, and names of inputs need be no identifiers there: they have numbers, and their order is
    # the artifact's. An output that is not computed has 0 of each size that has a name.
    names = {spec.name: f"input_{index}" for index, spec in enumerate(program.artifact_inputs)}
    optional = {spec.name for spec in program.inputs if spec.default is not None}
    signature = ", ".join(
        f"{name}: Optional[Tensor] = None" if given in optional else f"{name}: Tensor" for given, name in names.items()
    )
    arguments = ", ".join(names[spec.name] for spec in program.inputs)
    carried = [f"carried_{index}" for index in range(halves.carried)]
    # The model's outputs and the explanation's, each by its place among the artifact's.
    places = {spec.name: f"output_{index}" for index, spec in enumerate(program.outputs)}
    own = [name for output, name in places.items() if is_predicted(output)]
    explained = [spec for spec in program.outputs if not is_predicted(spec.name)]
    results = ", ".join(places[spec.name] for spec in explained)
    empty = [
        f"torch.zeros({[size if isinstance(size, int) else 0 for size in spec.shape]}, dtype=torch.{spec.dtype}, "
        f"device={own[0]}.device)"
        for spec in explained
    ]
    module.define(
        f"""
def forward(self, {signature}):
    {", ".join([*own, *carried])}, = self.predict({arguments})
    if bool({names[EXPLAIN]}):
        {results}, = self.explain({", ".join([*carried, arguments])})
    else:
        {results}, = {", ".join(empty)},
    return {", ".join(places.values())}
"""
    )
    return module.eval()


def _script(name: str, graph_module: fx.GraphModule, program: FusedProgram) -> torch.jit.ScriptModule:
    dump_stage(name, graph_module)
    run_passes(graph_module, [write_out_addmm, resolve_overloads, take_defaults(program), require_samples(program)])
    scripted: torch.jit.ScriptModule = torch.jit.script(graph_module.eval())
    return scripted


def take_defaults(program: FusedProgram) -> GraphPass:
    """The pass that makes bias parameters optional arguments, whose defaults are the trained values.

    It stands here and not in a file of its own, since archives hold the name of the module of ``given_or_default``.
    """
    return GraphPass("take_defaults", partial(_take_defaults, program=program), ("resolve_overloads",))


def _take_defaults(graph_module: fx.GraphModule, program: FusedProgram) -> bool:
    graph, changed = graph_module.graph, False
    placeholders = {str(node.target): node for node in graph.find_nodes(op="placeholder")}
    first = next(node for node in graph.nodes if node.op != "placeholder")
    for spec in program.inputs:
        if spec.default is None:
            continue
        node = placeholders[spec.name]
        node.args, node.type = (None,), Optional[Tensor]  # noqa: UP045 - TorchScript reads the annotation as text
        graph_module.register_buffer(f"default_{spec.name}", spec.default)
        with graph.inserting_before(first):
            default = graph.get_attr(f"default_{spec.name}")
            chosen = graph.call_function(given_or_default, (node, default))
        node.replace_all_uses_with(chosen, delete_user_cb=lambda user, chosen=chosen: user is not chosen)
        changed = True
    return changed


def require_samples(program: FusedProgram) -> GraphPass:
    """The pass that has a program for one number of samples refuse any other, of which it may leave some out."""
    return GraphPass("require_samples", partial(_require_samples, program=program), ("resolve_overloads",))


def _require_samples(graph_module: fx.GraphModule, program: FusedProgram) -> bool:
    graph, changed = graph_module.graph, False
    placeholders = {str(node.target): node for node in graph.find_nodes(op="placeholder")}
    first = next(node for node in graph.nodes if node.op != "placeholder")
    for spec in program.inputs if program.batch is not None else ():
        axis = samples_axis(spec.shape)
        if spec.default is not None or axis is None:
            continue
        node = placeholders[spec.name]
        with graph.inserting_before(first):
            checked = graph.call_function(of_batch, (node, axis, program.batch))
        node.replace_all_uses_with(checked, delete_user_cb=lambda user, checked=checked: user is not checked)
        changed = True
    return changed


def of_batch(x: Tensor, axis: int, batch: int) -> Tensor:
    """The tensor, if it has so many samples; scripted with the graph."""
    if x.size(axis) != batch:
        raise ValueError("the artifact was compiled for another number of samples a call: see its metadata, batch")
    return x


def given_or_default(given: Optional[Tensor], default: Tensor) -> Tensor:  # noqa: UP045 - as above
    """An optional argument's value; scripted with the graph."""
    if given is None:
        return default
    return given


LEFT_OUT = re.compile(rb"\.debug_pkl$|/\.data/serialization_id$")
"""Source positions, which name this process's generated code, and an identifier derived from them."""

MANGLED = re.compile(rb"___torch_mangle_\d+")
"""How TorchScript tells apart the classes that one process has scripted."""


def _reproducible(archive: bytes) -> bytes:
    """The archive without what changes from run to run, so that the same compile twice gives the same bytes."""
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        files = {name: source.read(name) for name in source.namelist() if not LEFT_OUT.search(name.encode())}
    mangled = MANGLED.findall(b" ".join(name.encode() for name in files))
    names = {name: b"___torch_mangle_%d" % index for index, name in enumerate(dict.fromkeys(mangled))}

    def rename(content: bytes) -> bytes:
        return MANGLED.sub(lambda match: names.get(match.group(), match.group()), content)

    return write_archive(
        # In the pickle, class names end with a line break.
        (rename(name.encode()).decode(), rename(content) if name.endswith((".py", "/data.pkl")) else content)
        for name, content in files.items()
    )
