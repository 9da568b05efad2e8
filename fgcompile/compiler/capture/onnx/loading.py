"""The bytes of an ``.onnx`` file as a model: data alone, and weights from its own folder alone."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import onnx
import onnx_ir as ir
from onnx_ir.external_data import set_base_dir
from onnx_ir.traversal import RecursiveGraphIterator

from fgcompile.artifact.names import METADATA_KEY
from fgcompile.artifact.onnx_container import external_paths, external_places
from fgcompile.artifact.onnx_skeleton import without_weights
from fgcompile.artifact.regular import read_regular
from fgcompile.compiler.capture.onnx.sparse import make_dense, nodes_of
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
        outside = external_places(content)
        proto, folder = parsed(content, path)
        del content
        _require_model(proto, path)
        _require_own_weights(path, outside)
        make_dense(proto, folder)
        _leave_out_maps(proto.graph)
        with _quiet():
            model: ir.Model = ir.from_proto(proto)
    except SourceError:
        raise
    except Exception as error:  # protobuf's errors and those of what a field holds are of several kinds
        cause = _cause(error)
        reason = f"nothing in it is called {cause}" if isinstance(cause, KeyError) else first_line(cause)
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


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what onnx_ir prints of a model that is none, which is refused by a message of ours."""
    logger = logging.getLogger("onnx_ir")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


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
        if tensor.length not in (None, tensor.nbytes):
            return False
        file = Path(tensor.path)
        return file.is_file() and (tensor.offset or 0) + tensor.nbytes <= file.stat().st_size
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
    if not all(isinstance(name, str) for name in _names(proto)):
        raise SourceError(f"{path} has names that are no text: it was changed on its way, copy it or export it again")
    names = [value.name for value in proto.graph.input]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise SourceError(f"{path} has several inputs called '{twice[0]}': it is no ONNX model, export it again")
    if not proto.graph.node or not proto.graph.output:
        raise SourceError(f"{path} has no graph: it is no ONNX model, or an empty one")


def _names(proto: onnx.ModelProto) -> Iterator[object]:
    """All names, which protobuf gives as bytes where they are no UTF-8."""
    for node in nodes_of(proto):
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    values = (*proto.graph.input, *proto.graph.output, *proto.graph.initializer)
    yield from (value.name for value in values)


def _require_own_weights(path: Path, places: Sequence[Mapping[str, str]]) -> None:
    folder = path.parent.resolve()
    for given in places:
        wrong = next(
            (f"{key} {given[key]!a}" for key in ("offset", "length") if not given.get(key, "0").isdigit()), None
        )
        if wrong is not None or not given.get("location"):
            what = f"at {wrong}" if wrong else "in a file that it does not name"
            raise SourceError(f"{path} has weights {what}: it is no ONNX model, export it again")
    for place in sorted({given["location"] for given in places}):
        file = (folder / place).resolve()
        if not file.is_relative_to(folder):
            raise SourceError(f"{path} has weights in {place!a}, outside its folder: put them beside it")
        if not file.is_file():
            raise SourceError(f"{path} has weights in {place!a}, which is missing: put that file beside it")
