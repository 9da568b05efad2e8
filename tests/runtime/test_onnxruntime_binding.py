"""Calls over bound memory give what plain calls give, and results stay what they are when the next call comes."""

from __future__ import annotations

import threading

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.runtime import onnxruntime as backend
from fgcompile.runtime.onnxruntime_binding import BoundSession

CUDA = "CUDAExecutionProvider"


@pytest.fixture(scope="module")
def content() -> bytes:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)).eval()
    return fgcompile.compile(model, torch.randn(1, 3, 12, 12)).content


@pytest.fixture
def session(content: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def feeds(batch: int, seed: int) -> dict[str, np.ndarray]:
    x = np.random.default_rng(seed).standard_normal((batch, 3, 12, 12), dtype=np.float32)
    return {"x": x, "target": np.full(batch, -1)}


def test_bound_calls_equal_plain_ones_for_every_shape(session: onnxruntime.InferenceSession) -> None:
    names = ["logits", "saliency"]
    bound = BoundSession(session, names, "cpu")
    results = []
    for batch, seed in [(1, 0), (3, 1), (1, 2), (3, 3), (1, 0)]:
        given = feeds(batch, seed)
        results.append((bound.run(given), session.run(names, given)))
    for values, expected in results:
        assert list(values) == names
        for value, reference in zip(values.values(), expected, strict=True):
            np.testing.assert_array_equal(value, reference)


def test_a_caller_s_input_stays_as_it_is(session: onnxruntime.InferenceSession) -> None:
    bound = BoundSession(session, ["logits"], "cpu")
    first = feeds(2, 0)
    bound.run(first)
    bound.run(feeds(2, 1))
    np.testing.assert_array_equal(first["x"], feeds(2, 0)["x"])


def test_calls_from_several_threads_do_not_mix(session: onnxruntime.InferenceSession) -> None:
    bound = BoundSession(session, ["logits"], "cpu")
    wrong = []

    def call(seed: int) -> None:
        given = feeds(2, seed)
        expected = session.run(["logits"], given)[0]
        wrong.extend(seed for _ in range(20) if not np.array_equal(bound.run(given)["logits"], expected))

    threads = [threading.Thread(target=call, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (CUDA, (CUDA, {"use_tf32": "0"})),
        ((CUDA, {"use_tf32": "1", "device_id": 1}), (CUDA, {"use_tf32": "1", "device_id": 1})),
        ("CPUExecutionProvider", "CPUExecutionProvider"),
    ],
)
def test_tf32_has_to_be_asked_for(given: backend.Provider, expected: backend.Provider) -> None:
    assert backend._with_defaults(given) == expected


@pytest.mark.skipif(
    CUDA not in onnxruntime.get_available_providers(), reason="needs onnxruntime-gpu: pip install 'fgcompile[gpu]'"
)
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card, and the build of PyTorch for CUDA")
def test_a_captured_graph_gives_what_the_cpu_gives(content: bytes, tmp_path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    captured = fgcompile.load(path, providers=[(CUDA, {"enable_cuda_graph": "1"})])
    plain = fgcompile.load(path, providers=["CPUExecutionProvider"])
    for batch, seed in [(1, 0), (1, 1), (4, 2), (1, 0), (4, 3)]:
        x = feeds(batch, seed)["x"]
        np.testing.assert_allclose(captured.explain(x).saliency, plain.explain(x).saliency, atol=1e-3)


def test_what_lies_otherwise_or_is_another_type_is_not_copied_as_it_is(session: onnxruntime.InferenceSession) -> None:
    bound, given = BoundSession(session, ["logits"], "cpu"), feeds(2, 5)
    expected = bound.run(given)["logits"]
    for x in (np.asfortranarray(given["x"]), np.ascontiguousarray(given["x"][..., ::-1])[..., ::-1]):
        np.testing.assert_array_equal(bound.run({**given, "x": x})["logits"], expected)
    for wrong in ({"x": given["x"].astype(np.float64)}, {"target": given["target"].astype(np.int32)}):
        with pytest.raises(Exception, match="Unexpected input data type"):
            bound.run({**given, **wrong})
    np.testing.assert_array_equal(bound.run(given)["logits"], expected)
