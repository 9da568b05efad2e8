"""JSON that is measured before it is parsed: what passes is what a JSON library reads, what is too much is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("orjson", reason="needs orjson: pip install 'fgcompile[serve]'")

from fgcompile.errors import InputError
from fgcompile.serving.protocol import json_bounds, json_numbers
from fgcompile.serving.protocol.json_bounds import outline
from fgcompile.serving.protocol.json_numbers import read_numbers
from fgcompile.serving.protocol.rest_request import HEADER, decode

TEXTS = st.text(st.sampled_from('a"\\[]{},:\n\u00e9\U0001f600'), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | TEXTS
TENSORS = st.dictionaries(TEXTS, SCALARS | st.lists(st.integers(), max_size=4), max_size=4)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(TEXTS, SCALARS | st.lists(TENSORS, max_size=3), max_size=4), st.integers(1, 40), st.booleans())
def test_lists_of_tensors_are_cut_out_and_all_else_stays(value: dict, chunk: int, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_bounds, "CHUNK", chunk)  # so that texts, escapes and lists are cut anywhere
        cut = outline(text, len(text), 10_000)
    lists = [json.loads(b"[%b]" % text[begin:end]) for begin, end in cut.lists]
    restored = json.loads(cut.envelope)
    for tensors in restored.values():
        for tensor in tensors if isinstance(tensors, list) else ():
            for key, inside in tensor.items():
                tensor[key] = lists[inside[0]] if isinstance(inside, list) else inside
    assert restored == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 37, "36 deep"),
        ("]", "brackets that do not match"),
        ('{"a": "', "ends midway"),
        ("[1" + ",1" * 200, "more than 100 values"),
        ('{"inputs": [{"data": [1}', "ends midway"),
        ("[" + "{}," * 1100 + "{}]", "more than 100 values"),
        ('{"a": "' + "x" * 300_000 + '"}', "262144 are allowed"),
        ('{"a":' * 40 + "1" + "}" * 40, "36 deep"),
    ],
)
def test_what_is_too_much_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        outline(text.encode(), len(text.encode()), 100)


def _read(text: str, dtype: type, shape: tuple[int, ...], chunk: int) -> np.ndarray:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_numbers, "CHUNK", chunk)
        return read_numbers(text.encode(), (0, len(text)), "x", np.dtype(dtype), shape)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.booleans(), st.booleans(), st.integers(48, 200))
def test_numbers_are_those_of_a_json_library(shape: list[int], nested: bool, spaces: bool, chunk: int) -> None:
    value = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    data = value.tolist() if nested else value.reshape(-1).tolist()
    text = json.dumps(data, separators=(" , ", ":") if spaces else (",", ":"))[1:-1]
    np.testing.assert_array_equal(_read(text, np.float32, tuple(shape), chunk), value)


def _is_nested(value: object, shape: tuple[int, ...]) -> bool:
    if not shape:
        return not isinstance(value, list)
    return isinstance(value, list) and len(value) == shape[0] and all(_is_nested(each, shape[1:]) for each in value)


NESTED = st.recursive(st.just(1), lambda inside: st.lists(inside, max_size=3), max_leaves=8)


@settings(max_examples=400, deadline=None)
@given(st.lists(NESTED, max_size=3), st.lists(st.integers(0, 3), min_size=1, max_size=3), st.integers(16, 64))
def test_lists_nested_otherwise_than_the_shape_are_refused(data: list, shape: list[int], chunk: int) -> None:
    flat = all(not isinstance(each, list) for each in data)
    fits = (flat and len(data) == np.prod(shape)) or (0 not in shape and _is_nested(data, tuple(shape)))
    try:
        value = _read(json.dumps(data)[1:-1], np.int64, tuple(shape), chunk)
    except InputError:
        assert not fits
    else:
        assert fits
        assert value.shape == tuple(shape)


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        *(("1,,2", float), ("1,2,", float), (",1,2", float), ("1 2", float), ("[1][2]", float), ("1[,2]", float)),
        *(('"1",2', float), ("null,1", float), ("true,1", float), ("NaN,1", float), ("1,2,3", float), ("1", float)),
        *(("1.5,2", np.int64), ("true,1", np.int64), ("300,1", np.uint8), ("-1,1", np.uint8), ("1e400,1", float)),
        *(("1,0", np.bool_), ("99999999999999999999,1", np.int64), ("{},1", float), ("[1,2]", float), ("1,]2[", float)),
    ],
)
def test_what_are_no_two_numbers_is_refused(text: str, dtype: type) -> None:
    with pytest.raises(InputError, match=r"^x "):
        _read(text, dtype, (2,), 64)


def test_a_shape_that_announces_much_asks_for_no_memory() -> None:
    with pytest.raises(InputError, match="fewer elements"):
        _read("1,2", np.float64, (2**40,), 64)


@pytest.mark.parametrize("header", ["-1", "0", "x", "", "1e3", "٣", "999"])
def test_a_length_of_json_that_does_not_fit_is_refused(header: str) -> None:
    with pytest.raises(InputError, match=HEADER):
        decode(b"{}", header, 100)


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"[]",
            b"1",
            b"{}",
            b'{"inputs":1}',
            b'{"inputs":[1]}',
            b'{"inputs":[{}]}',
            b'{"inputs":[],"outputs":3}',
        ),
        *(b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":7}]}', b'{"inputs":[],"id":7}', b"\xff{}"),
        *(b'{"inputs":[{"name":"x","datatype":"FP32","shape":[[1]],"data":[1]}]}', b'{"inputs":[],"outputs":[{}]}'),
        b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,],"data":[1]}]}',
    ],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(InputError):
        decode(body, None, 100)
