"""The bytes of an ``.onnx`` file as a model: data alone, and weights from its own folder alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
import onnx_ir as ir
from onnx_ir.external_data import set_base_dir
from onnx_ir.traversal import RecursiveGraphIterator

from fgcompile.artifact.names import METADATA_KEY
from fgcompile.artifact.onnx_container import external_paths
from fgcompile.artifact.onnx_skeleton import without_weights
from fgcompile.artifact.regular import read_regular
from fgcompile.compiler.capture.onnx.sparse import make_dense
from fgcompile.errors import SourceError, first_line

OTHER_CONTENTS = {b"PK": "a zip archive", b"\x89HDF": "an HDF5 file", b"ORTM": "in ONNX Runtime's own format"}
OTHER_CONTENTS |= {b"version https://git-lfs": "a pointer of Git LFS", b"<": "a page of the web"}
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
        make_dense(proto, folder)
        _leave_out_maps(proto.graph)
        model: ir.Model = ir.from_proto(proto)
    except SourceError:
        raise
    except Exception as error:  # protobuf's errors and those of what a field holds are of several kinds
        reason = first_line(_cause(error))
        raise SourceError(f"{path} cannot be read as an ONNX model ({reason}): export it again") from error
    for graph in _graphs(model):
        set_base_dir(graph, folder)
    _require_whole_weights(model, path)
    _sort(model.graph, path)
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


def _leave_out_maps(graph: onnx.GraphProto) -> None:
    """Takes the types of mappings away, which onnx_ir does not have: what they are made of is what is explained."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        kinds = value.type.sequence_type.elem_type if value.type.HasField("sequence_type") else value.type
        if kinds.HasField("map_type"):
            value.ClearField("type")


def _cause(error: BaseException) -> BaseException:
    """What an error began with."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _require_whole_weights(model: ir.Model, path: Path) -> None:
    """Refuses weights of another size than their shape says, which a file that was cut off or changed has."""
    for name, tensor in _tensors(model):
        try:
            whole = min(tensor.shape.numpy(), default=0) >= 0 and _holds_all(tensor)
        except (OSError, ValueError, TypeError):
            whole = False
        if not whole:
            shape = " x ".join(map(str, tensor.shape))
            raise SourceError(f"{path} does not hold the {shape} numbers of '{name}': export it again")


def _tensors(model: ir.Model) -> Iterator[tuple[str, ir.TensorProtocol]]:
    """All tensors, of constants by what these compute."""
    for graph in _graphs(model):
        for each in (graph, *graph.subgraphs()):
            for value in each.initializers.values():
                if value.const_value is not None:
                    yield str(value.name), value.const_value
        for node in RecursiveGraphIterator(graph):
            for attribute in node.attributes.values():
                if attribute.type == ir.AttributeType.TENSOR and attribute.value is not None:
                    yield str(node.outputs[0].name), attribute.as_tensor()


def _graphs(model: ir.Model) -> tuple[ir.Graph, ...]:
    """That of the model, and those of its functions."""
    return (model.graph, *(function.graph for function in model.functions.values()))


def _holds_all(tensor: ir.TensorProtocol) -> bool:
    """Whether there are as many bytes as a tensor's shape says; of a file beside the model its length is asked."""
    if isinstance(tensor, ir.ExternalTensor):
        return (tensor.offset or 0) + tensor.nbytes <= Path(tensor.path).stat().st_size
    if tensor.size and isinstance(tensor, ir.TensorProtoTensor) and not _has_data(tensor.raw):
        return False  # read, it would be zeros
    return tensor.dtype == ir.DataType.STRING or tensor.numpy().shape == tensor.shape.numpy()


def _has_data(proto: onnx.TensorProto) -> bool:
    return any(len(getattr(proto, field)) for field in _DATA)


_DATA = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")


def _sort(graph: ir.Graph, path: Path) -> None:
    """Puts nodes behind what they read, where a file has them in another order."""
    try:
        graph.sort()
    except ValueError as error:
        raise SourceError(f"{path} has nodes that wait for each other: it is no ONNX model, export it again") from error


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
