"""Texts to a real server over both protocols: the numbers of the session, and refusals that say why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

import fgcompile
from fgcompile.errors import InputError
from fgcompile.serving.admission import Limits
from fgcompile.serving.protocol import texts
from fgcompile.serving.texts import Texts
from tests.serving.served import Server, grpc, http, served
from tests.support.texts import open_text, text_artifact

GIVEN = ["It's dull.", "<b>joy</b> & 猫"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("texts")
    text_artifact("classifier").save(folder / "tiny.onnx")
    with served.serving(folder / "tiny.onnx", folder / "log", "--max-batch", "4") as running:
        yield Server(folder / "tiny.onnx", running)


@pytest.mark.parametrize("protocol", [http, grpc], ids=["rest", "grpc"])
@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_answers_are_the_session_s(server: Server, protocol: Any, shape: tuple[int, ...]) -> None:
    given = protocol.InferInput("text", list(shape), "BYTES")
    given.set_data_from_numpy(np.array(GIVEN, object).reshape(shape))
    client = server.rest if protocol is http else server.grpc
    answer = client.infer("tiny", [given])
    tokens, offsets, words = (answer.as_numpy(name) for name in ("tokens", "offsets", "words"))
    for row, text in enumerate(GIVEN):
        expected = server.session.explain_text(text)
        count = len(expected.tokens)
        assert [token.decode() for token in tokens[row]][:count] == [token.piece for token in expected.tokens]
        assert set(tokens[row][count:]) <= {b""}
        assert offsets[row, :count].tolist() == [[token.start, token.end] for token in expected.tokens]
        scores = answer.as_numpy("saliency")[row, 0]
        np.testing.assert_allclose(scores[:count], [token.score for token in expected.tokens], atol=1e-6)
        np.testing.assert_allclose(scores[count:], 0, atol=1e-6)
        sums = [scores[words[row] == number].sum() for number in range(words[row].max() + 1)]
        np.testing.assert_allclose(sums, [word.score for word in expected.words], atol=1e-6)
        assert answer.as_numpy("logits")[row].max() == pytest.approx(expected.score, abs=1e-6)


def test_json_pairs_and_the_outputs_that_are_asked_for(server: Server) -> None:
    body = {
        "inputs": [
            {"name": "text", "datatype": "BYTES", "shape": [1, 2], "data": [["the film", 'not [dull], "joy"']]},
            {"name": "target", "datatype": "INT64", "shape": [1], "data": [1]},
        ],
        "outputs": [{"name": "tokens"}, {"name": "saliency"}],
    }
    status, answer = server.post(json.dumps(body).encode(), {"content-type": "application/json"})
    found = {output["name"]: output for output in json.loads(answer)["outputs"]}
    expected = server.session.explain_text(("the film", 'not [dull], "joy"'), 1)
    assert (status, set(found)) == (200, {"tokens", "saliency"})
    assert found["tokens"]["datatype"] == "BYTES"
    assert found["tokens"]["data"] == [token.piece for token in expected.tokens]
    np.testing.assert_allclose(found["saliency"]["data"], [token.score for token in expected.tokens], atol=1e-6)


def test_the_model_says_that_it_takes_texts_and_still_takes_ids(server: Server) -> None:
    described = server.rest.get_model_metadata("tiny")
    assert {"name": "text", "datatype": "BYTES", "shape": [-1]} in described["inputs"]
    assert {"tokens", "offsets", "words"} <= {output["name"] for output in described["outputs"]}
    ids = np.array([[2, 5, 6, 3]])
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    inputs = []
    for name, value in feeds.items():
        inputs.append(http.InferInput(name, list(value.shape), "INT64"))
        inputs[-1].set_data_from_numpy(value)
    answer = server.rest.infer("tiny", inputs)
    expected = server.session.explain(feeds)
    np.testing.assert_array_equal(answer.as_numpy("saliency"), expected.saliency)
    assert answer.as_numpy("tokens") is None


@pytest.mark.parametrize(
    ("data", "shape", "message"),
    [
        (["a", 3], [2], "no texts"),
        (["a"], [2], "send all"),
        ([["a"], ["b", "c"]], [2], "no texts"),
        ([], [0], "shape"),
        (["a"] * 5, [5], "has 5 texts, 4 are allowed"),
        ([" "], [1], "empty"),
        (["x " * 40_000], [1], "80000 bytes, 65536 are allowed"),
        ([["a", "b", "c"]], [1, 3], "3 segments"),
    ],
)
def test_refusals(server: Server, data: list[Any], shape: list[int], message: str) -> None:
    body = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": shape, "data": data}]}
    status, answer = server.post(json.dumps(body).encode(), {"content-type": "application/json"})
    assert status == 400
    assert message in json.loads(answer)["error"]
    assert server.rest.is_server_live()


def test_texts_beside_ids_and_texts_of_other_names_are_refused(server: Server) -> None:
    text = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}
    ids = {"name": "input_ids", "datatype": "INT64", "shape": [1, 3], "data": [2, 5, 3]}
    for inputs, message in (([text, ids], "send one of them"), ([{**text, "name": "input_ids"}], "'BYTES'")):
        status, answer = server.post(json.dumps({"inputs": inputs}).encode(), {"content-type": "application/json"})
        assert (status, message in json.loads(answer)["error"]) == (400, True)


def test_bytes_that_are_no_texts() -> None:
    for raw, message in (
        (b"\x02\0\0\0a", "ends midway"),
        (b"\x01\0", "ends midway"),
        (b"\xff\xff\xff\xff", "ends midway"),
        (b"\x01\0\0\0\xff", "not UTF-8"),
        (b"", "has 0 texts"),
        (b"\0\0\0\0" * 9000, "send all"),
    ):
        with pytest.raises(InputError, match=message):
            texts.from_raw(memoryview(raw), "text", [1])
    assert texts.from_raw(memoryview(texts.to_raw(["ä", ""])), "text", [2]).tolist() == ["ä", ""]
    with pytest.raises(InputError, match="are allowed"):
        texts.from_list(b'"' + b"x" * (9 << 20) + b'"', "text", [1])
    with pytest.raises(InputError, match="not JSON"):
        texts.from_list(b'"a', "text", [1])
    assert texts.from_list(orjson.dumps(["a", "b"])[1:-1], "text", [2, 1]).tolist() == [["a"], ["b"]]


def test_what_a_text_is_asked_where_the_request_does_not_say() -> None:
    language = Texts(open_text("language"))
    feeds, known = language.read({"text": np.array(["film was"], object)}, Limits())
    count = len([token for token in known["tokens"][0] if token])
    assert feeds["target"].tolist() == [[count - 1, -1]]
    tagger = Texts(open_text("tagger"))
    with pytest.raises(InputError, match="send the target"):
        tagger.read({"text": np.array(["film was"], object)}, Limits())
    feeds, _ = tagger.read({"text": np.array(["film was"], object), "target": np.array([[1, 2]])}, Limits())
    assert (feeds["target"].tolist(), feeds["input_ids"].shape) == ([[1, 2]], (1, 12))
    two = Texts(open_text("two"))
    with pytest.raises(InputError, match="compares several"):
        two.read({"text": np.array(["film was"], object)}, Limits())
    with pytest.raises(InputError, match=r"take 80 bytes, 50 are allowed"):
        language.read({"text": np.array(["film was"], object)}, Limits(body=50, memory=1000))


def test_artifacts_without_a_tokenizer_take_no_texts(tmp_path: Path) -> None:
    from tests.support.tiny_artifacts import onnx_artifact

    (tmp_path / "tiny.onnx").write_bytes(onnx_artifact())
    reader = Texts(fgcompile.load(tmp_path / "tiny.onnx"))
    assert (reader.inputs, reader.outputs) == ([], [])
    with pytest.raises(InputError, match="keeps no tokenizer"):
        reader.read({"text": np.array(["a"], object)}, Limits())
