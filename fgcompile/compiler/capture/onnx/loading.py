"""The bytes of an ``.onnx`` file as a model: data alone, and weights from its own folder alone."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir
from onnx_ir.external_data import set_base_dir

from fgcompile.artifact.names import METADATA_KEY
from fgcompile.artifact.onnx_container import external_paths
from fgcompile.artifact.onnx_skeleton import without_weights
from fgcompile.artifact.regular import read_regular
from fgcompile.errors import SourceError, first_line

OTHER_CONTENTS = {b"PK": "a zip archive", b"\x89HDF": "an HDF5 file", b"ORTM": "in ONNX Runtime's own format"}
"""What files that are called ``.onnx`` hold instead, by how they begin."""


def load_model(path: Path) -> ir.Model:
    """The model of a file; weights that lie beside it are read when they are asked for.

    Raises:
        SourceError: It cannot be read, is no ONNX model, is compiled already, or a file of its weights is missing or
            outside its folder.
    """
    try:
        content = read_regular(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}): give the path of a file") from error
    for beginning, what in OTHER_CONTENTS.items():
        if content.startswith(beginning) or content[4:8] == beginning:
            raise SourceError(f"{path} is no ONNX model but {what}: give the file that torch.onnx.export wrote")
    try:
        outside = external_paths(content)
        proto, folder = parsed(content, path)
        del content
        _require_model(proto, path)
        _require_own_weights(path, outside)
        model: ir.Model = ir.from_proto(proto)
    except SourceError:
        raise
    except Exception as error:  # protobuf's errors and those of what a field holds are of several kinds
        raise SourceError(f"{path} cannot be read as an ONNX model ({first_line(error)}): export it again") from error
    set_base_dir(model.graph, folder)
    return model


def parsed(content: bytes, path: Path) -> tuple[onnx.ModelProto, Path]:
    """A file's model, and the folder from which its large weights are read: they are left where they are.

    Raises:
        ValueError: It is no protobuf message.
    """
    if external_paths(content):
        return onnx.ModelProto.FromString(content), path.parent
    # A parser would copy all weights. Links are followed, since the file that they lie in is named.
    file = path.resolve()
    return onnx.ModelProto.FromString(without_weights(content, file.name)), file.parent


def state_of(path: Path) -> tuple[int, int, int] | None:
    """What tells whether a file was changed; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _require_model(proto: onnx.ModelProto, path: Path) -> None:
    if any(entry.key == METADATA_KEY for entry in proto.metadata_props):
        raise SourceError(f"{path} is compiled already: fgcompile.load it, or give what it was made from")
    if not proto.graph.node or not proto.graph.output:
        raise SourceError(f"{path} has no graph: it is no ONNX model, or an empty one")


def _require_own_weights(path: Path, places: list[str]) -> None:
    folder = path.parent.resolve()
    for place in places:
        file = (folder / place).resolve()
        if not file.is_relative_to(folder):
            raise SourceError(f"{path} has weights in {place!a}, outside its folder: put them beside it")
        if not file.is_file():
            raise SourceError(f"{path} has weights in {place!a}, which is missing: put that file beside it")
