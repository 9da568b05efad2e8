"""Back ends: each is one function from a fused program to the bytes of an artifact, or to its pair of files."""

from collections.abc import Callable

from fgcompile.artifact.pair import Pair
from fgcompile.compiler.backends.aotinductor.emit import emit_pt2
from fgcompile.compiler.backends.onnx.emit import emit_onnx
from fgcompile.compiler.backends.program import emit_program
from fgcompile.compiler.backends.torchscript.emit import emit_torchscript
from fgcompile.compiler.ir.programs import FusedProgram

EMITTERS: dict[str, Callable[[FusedProgram], bytes | Pair]] = {
    "onnx": emit_onnx,
    "torchscript": emit_torchscript,
    "pt2": emit_pt2,
    "exported": emit_program,
}
"""Each format's back end; ``fgcompile.artifact.names.SUFFIXES`` names its files."""
