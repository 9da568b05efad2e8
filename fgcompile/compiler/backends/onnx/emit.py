"""ONNX: through ``torch.onnx.export``, standard operators only, one sealed file, or two."""

from __future__ import annotations

from math import prod

import onnx
import onnx_ir
import torch
from onnx import TensorProto
from onnx.helper import make_tensor_value_info

from fgcompile.artifact.metadata import dumps
from fgcompile.artifact.names import EXPLAIN, METADATA_KEY, TOKENIZER_KEY
from fgcompile.artifact.pair import Pair
from fgcompile.compiler.backends.exported import as_exported
from fgcompile.compiler.backends.onnx.descriptions import describe
from fgcompile.compiler.backends.onnx.exporter_internals import without_repetition
from fgcompile.compiler.backends.onnx.masks_first import masks_first
from fgcompile.compiler.backends.onnx.on_demand import explain_conditionally
from fgcompile.compiler.backends.onnx.predict_by_file import predict_by_file
from fgcompile.compiler.backends.onnx.scale_channels import scale_channels
from fgcompile.compiler.backends.onnx.share_weights import share_weights
from fgcompile.compiler.backends.onnx.simplify import simplify
from fgcompile.compiler.backends.onnx.weights import IN_MEMORY, put_together, take_out, write_out
from fgcompile.compiler.ir.dump import dump
from fgcompile.compiler.ir.programs import FusedProgram
from fgcompile.compiler.ir.runner import run_model_passes
from fgcompile.compiler.ir.silence import silenced
from fgcompile.compiler.ir.sizes import BATCH
from fgcompile.errors import InputError, UnsupportedOpError, first_line

OPSET = 20
"""Old enough for today's TensorRT and OpenVINO, new enough for reductions with axes as inputs."""

IR_VERSION = 10
"""The file format version that goes with opset 20 to 22 in ONNX Runtime 1.18 and later."""


PASSES = (simplify, scale_channels, share_weights)
"""What is done to a translated graph, in this order."""


def emit_onnx(program: FusedProgram) -> bytes | Pair:
    """The artifact's bytes; where it is large, or its weights are to lie beside it, its two files.

    Raises:
        UnsupportedOpError: An operator of the graph has no translation into standard ONNX operators.
        InputError: An input is called as an output is.
        OutputError: The disk does not take the weights.
    """
    _require_own_names(program)
    exported = as_exported(program.graph_module)
    with silenced("torch.onnx"), without_repetition():
        try:
            converted = torch.onnx.export(
                exported,
                dynamo=True,
                optimize=False,
                verbose=False,
                opset_version=OPSET,
                input_names=[spec.name for spec in program.inputs],
                output_names=[spec.name for spec in program.outputs],
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise UnsupportedOpError(f"the fused graph cannot be expressed in ONNX: {_reason(error)}") from error
        assert converted is not None
        dump("translated", lambda: str(converted.model))
        run_model_passes(converted.model, PASSES)
        _name_ends(converted.model, program)
        if not program.on_demand and program.prediction is None and program.batch is None:
            run_model_passes(converted.model, (masks_first,), ran=[each.name for each in PASSES])
    weights = take_out(converted.model)
    body = _serialised(converted.model_proto, program)
    if weights.tensors and (program.external_data or weights.size > IN_MEMORY):
        pair = write_out(body, weights)
        check_files(pair)
        return pair
    content = put_together(body, weights)
    onnx.checker.check_model(content)
    return content


def check_files(pair: Pair) -> None:
    """Holds the model to ONNX's rules, which ask where weights lie."""
    path = pair.folder / "model.onnx"
    path.write_bytes(pair.model())
    onnx.checker.check_model(path)
    path.unlink()


def _name_ends(model: onnx_ir.Model, program: FusedProgram) -> None:
    """Inputs and outputs are called as the program says: what is both, or two outputs, has another name since."""
    for values, specs in ((model.graph.inputs, program.inputs), (model.graph.outputs, program.outputs)):
        for value, spec in zip(values, specs, strict=True):
            value.name = spec.name


def _require_own_names(program: FusedProgram) -> None:
    outputs = {spec.name for spec in program.outputs}
    for spec in program.inputs:
        if spec.name in outputs:
            raise InputError(
                f"the artifact has an output '{spec.name}', and the model an input of this name, which ONNX does not "
                "tell apart: rename the model's, or compile to another format"
            )


def _reason(error: BaseException) -> str:
    """The first line of the innermost cause, which names the operator."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{first_line(error)}; compile to another format, or replace the operator"


def _serialised(model: onnx.ModelProto, program: FusedProgram) -> bytes:
    """The model's bytes, without the seal."""
    model.producer_name = "fgcompile"
    model.producer_version = str(program.metadata["versions"]["fgcompile"])
    model.ir_version = IR_VERSION
    for value in (*model.graph.input, *model.graph.output):
        _name_dimensions(value, {spec.name: spec.shape for spec in (*program.inputs, *program.outputs)})
    elements = _elements(model.graph)
    del model.graph.value_info[:]
    del model.functions[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for spec in program.inputs:
        if spec.default is not None:  # an initialiser of an input's name is its default
            model.graph.initializer.append(onnx.numpy_helper.from_array(spec.default.numpy(), spec.name))
    if program.prediction is not None:
        file = onnx.GraphProto.FromString(program.prediction)
        predict_by_file(model.graph, file, [spec.name for spec in program.inputs[: len(file.input)]])
    if program.on_demand:
        explain_conditionally(model.graph, elements if program.prediction is None else {})
        names = [spec.name for spec in program.artifact_inputs]
        model.graph.input.insert(names.index(EXPLAIN), make_tensor_value_info(EXPLAIN, TensorProto.BOOL, ()))
    if program.batch is not None:
        _fix_batch(model.graph, program.batch)
    for tensor in model.graph.initializer:
        tensor.doc_string = ""
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, dumps(program.metadata)
    if program.tokenizer is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = TOKENIZER_KEY, program.tokenizer
    describe(model, program.metadata)
    body: bytes = model.SerializeToString(deterministic=True)
    return body


def _elements(graph: onnx.GraphProto) -> dict[str, int]:
    """How many numbers a sample's part of each value in between has; a size that is open counts once."""
    return {
        value.name: prod(dimension.dim_value or 1 for dimension in value.type.tensor_type.shape.dim)
        for value in graph.value_info
    }


def _fix_batch(graph: onnx.GraphProto, batch: int) -> None:
    """The number in place of the batch's name; outputs that may be empty have it under another."""
    for value in (*graph.input, *graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param == BATCH:
                dimension.dim_value = batch


def _name_dimensions(value: onnx.ValueInfoProto, shapes: dict[str, tuple[int | str, ...]]) -> None:
    shape = value.type.tensor_type.shape
    del shape.dim[:]
    for size in shapes[value.name]:
        dimension = shape.dim.add()
        if isinstance(size, int):
            dimension.dim_value = size
        else:
            dimension.dim_param = size
