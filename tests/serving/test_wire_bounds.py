"""Messages of gRPC that are measured before they are parsed, and the description that they are parsed by."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("google.protobuf", reason="needs protobuf: pip install 'fgcompile[serve]'")

from fgcompile.errors import InputError
from fgcompile.serving.protocol.messages import Request
from fgcompile.serving.rpc.messages import DESCRIPTION, METHODS
from fgcompile.serving.rpc.tensors import decode, encode, open_envelope

CONTENTS = {
    "BOOL": ("bool_contents", [True, False]),
    "INT8": ("int_contents", [-128, 127]),
    "INT32": ("int_contents", [-(2**31), 2**31 - 1]),
    "INT64": ("int64_contents", [-(2**63), 2**63 - 1, 0]),
    "UINT8": ("uint_contents", [0, 255]),
    "UINT64": ("uint64_contents", [0, 2**64 - 1]),
    "FP32": ("fp32_contents", [0.5, -1.0]),
    "FP64": ("fp64_contents", [0.1]),
}


def _message(datatype: str, values: list, field: str | None = None) -> Any:
    request: Any = METHODS["ModelInfer"][0](model_name="m", id="7")
    tensor = request.inputs.add(name="x", datatype=datatype, shape=[len(values)])
    getattr(tensor.contents, field or CONTENTS[datatype][0]).extend(values)
    return request


def _read(request: Any) -> Request:
    return decode(open_envelope(request.SerializeToString()), 100_000)


@pytest.mark.parametrize("datatype", CONTENTS)
def test_contents_become_arrays(datatype: str) -> None:
    values = CONTENTS[datatype][1]
    request = _read(_message(datatype, values))
    assert request.id == "7"
    assert request.tensors["x"].tolist() == values


def test_long_contents_are_read_in_parts() -> None:
    values = np.random.default_rng(0).integers(-(2**62), 2**62, 40_000) >> np.arange(40_000) % 60
    request = _read(_message("INT64", values.tolist()))
    np.testing.assert_array_equal(request.tensors["x"], values)


@pytest.mark.parametrize(
    ("datatype", "values", "field", "message"),
    [
        ("INT8", [128], None, "out of the range"),
        ("UINT8", [256], None, "out of the range"),
        ("FP32", [1], "int64_contents", "not packed FP32"),
        ("FP16", [1], "fp32_contents", "not packed FP16"),
        ("BF16", [b"1"], "bytes_contents", "which no artifact takes"),
    ],
)
def test_contents_of_another_kind_are_refused(datatype: str, values: list, field: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _read(_message(datatype, values, field))


@pytest.mark.parametrize(
    ("shape", "message"),
    [([200_000], "more than 100000 values"), ([2], "has not 2 elements"), ([], "has not 1 elements")],
)
def test_contents_are_as_many_as_the_shape_says(shape: list[int], message: str) -> None:
    request = _message("INT64", [1, 2, 3])
    request.inputs[0].shape[:] = shape
    with pytest.raises(InputError, match=message):
        _read(request)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_changed_bytes_are_read_as_protobuf_reads_them_or_refused(seed: int) -> None:
    generator = random.Random(seed)
    content = bytearray(_message("INT64", [1, 2, 300]).SerializeToString())
    for _ in range(generator.randint(1, 3)):
        content[generator.randrange(len(content))] = generator.randrange(256)
    try:
        request = decode(open_envelope(bytes(content)), 100_000)
    except InputError:
        return
    parsed: Any = METHODS["ModelInfer"][0].FromString(bytes(content))
    assert request.id == parsed.id
    assert list(request.tensors) == [tensor.name for tensor in parsed.inputs]
    for tensor in parsed.inputs:
        if tensor.datatype == "INT64":
            assert request.tensors[tensor.name].tolist() == list(tensor.contents.int64_contents)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x2a\x00" * 5000, "more than 4096 fields"),
        (b"\x0a" + b"\x80\x80\x20" + b"a" * (1 << 19), "around its tensors' values"),
        (b"\x3b", "no message"),
        (b"\x3a\x05ab", "ends midway"),
        (b"\x3a" + b"\xff" * 20, "does not end"),
        (b"\x0a\x01\xff", "no ModelInferRequest"),
    ],
)
def test_messages_that_are_too_much_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_envelope(content)


def test_answers_have_the_bytes_of_their_arrays() -> None:
    request = _read(_message("FP32", [1.0]))
    outputs = {"logits": np.arange(6, dtype=np.float32).reshape(2, 3)}
    response: Any = METHODS["ModelInfer"][1].FromString(encode(request, "m", outputs))
    assert (response.id, response.model_name) == ("7", "m")
    assert response.raw_output_contents[0] == outputs["logits"].tobytes()


def test_the_description_is_that_of_the_committed_text(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="needs grpcio-tools: pip install grpcio-tools")
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    from tools.compile_protocol import FOLDER, compile_protocol

    compile_protocol(tmp_path / "made")
    made = FileDescriptorSet.FromString((tmp_path / "made").read_bytes())
    assert made == FileDescriptorSet.FromString((FOLDER / DESCRIPTION).read_bytes())
