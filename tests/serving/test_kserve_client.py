"""KServe's own clients, of REST and gRPC, ask ``fgcompile serve``."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import fgcompile
from benchmarks.serving import served
from tests.serving.served import serving

CODE = """
import asyncio, sys
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

x = np.random.default_rng(0).random((2, 3, 4, 4), np.float32)


def request(binary):
    tensor = InferInput("x", list(x.shape), "FP32")
    tensor.set_data_from_numpy(x, binary_data=binary)
    return InferRequest("tiny", [tensor], request_id="seven")


async def ask(rest_url, grpc_url):
    rest = InferenceRESTClient(RESTConfig(protocol="v2"))
    grpc = InferenceGRPCClient(grpc_url)
    assert await rest.is_server_live(rest_url) and await rest.is_server_ready(rest_url)
    assert await rest.is_model_ready(rest_url, "tiny")
    assert await grpc.is_server_live() and await grpc.is_server_ready() and await grpc.is_model_ready("tiny")
    answers = [await rest.infer(rest_url, request(binary), model_name="tiny") for binary in (False, True)]
    answers += [await grpc.infer(request(binary)) for binary in (False, True)]
    for answer in answers:
        assert (answer.id, answer.model_name) == ("seven", "tiny")
        assert [output.name for output in answer.outputs] == ["logits", "saliency"]
        for output, first in zip(answer.outputs, answers[0].outputs):
            np.testing.assert_array_equal(output.as_numpy(), first.as_numpy())


asyncio.run(ask(*sys.argv[1:]))
"""


SEVERAL = """
import asyncio, sys
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

kept = np.load(sys.argv[3])


def request():
    kinds = {"x": "FP32", "target": "INT64"}
    tensors = [InferInput(name, list(kept[name].shape), kind) for name, kind in kinds.items()]
    for tensor in tensors:
        tensor.set_data_from_numpy(kept[tensor.name])
    return InferRequest("segmenter", tensors)


async def ask(rest_url, grpc_url):
    rest = await InferenceRESTClient(RESTConfig(protocol="v2")).infer(rest_url, request(), model_name="segmenter")
    grpc = await InferenceGRPCClient(grpc_url).infer(request())
    for answer in (rest, grpc):
        for output in answer.outputs:
            np.testing.assert_array_equal(output.as_numpy(), kept[output.name])


asyncio.run(ask(*sys.argv[1:3]))
"""
installed = pytest.mark.skipif(find_spec("kserve") is None, reason="needs KServe's client: pip install kserve")


@installed
def test_its_clients_are_answered(tmp_path: Path) -> None:
    """In a process of its own: kserve's protocol buffers have the names of tritonclient's."""
    with serving(tmp_path) as server:
        command = [sys.executable, "-c", CODE, server.url, server.grpc_address]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


@installed
def test_they_ask_several_questions_of_several_axes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1)).eval()
    path, random = tmp_path / "segmenter.onnx", np.random.default_rng(0)
    fgcompile.compile(model, torch.randn(1, 3, 5, 6), targets="dynamic").save(path)
    x = random.normal(size=(2, 3, 5, 6)).astype(np.float32)
    target = np.stack([random.integers(0, size, (2, 4)) for size in (3, 5, 6)], -1)
    feeds = {"x": x, "target": target}
    np.savez(tmp_path / "kept.npz", **feeds, **fgcompile.load(path).run(feeds))  # type: ignore[arg-type]
    with served.serving(path, tmp_path / "log", "--max-batch", "8") as server:
        command = [sys.executable, "-c", SEVERAL, f"http://{server.rest}", server.grpc, str(tmp_path / "kept.npz")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
