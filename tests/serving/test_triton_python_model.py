"""The ``model.py`` of a model repository, alone: with the copy of the package beside it, numpy and onnxruntime."""

from __future__ import annotations

import json
from pathlib import Path

from fgcompile.serving.triton import Deployment, write_models
from tests.support.environments import make_environment
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata

TRITON = """
class InferenceResponse:
    def __init__(self, tensors=(), error=None): self.tensors, self.error = tensors, error
class TritonError:
    INVALID_ARG = 3
    def __init__(self, message, code): self.message, self.code = message, code
class Tensor:
    def __init__(self, name, value): self.name, self.value = name, value
    def as_numpy(self): return self.value
def get_input_tensor_by_name(request, name): return Tensor(name, request.tensors[name])
"""

SCRIPT = """
import json, sys
import numpy as np
import model
class Request:
    def __init__(self, **tensors): self.tensors = tensors
    def requested_output_names(self): return ["saliency"]
config = {"parameters": {"max_batch": {"string_value": "4"}}, "input": [{"name": "x"}, {"name": "target"}]}
served = model.TritonPythonModel()
served.initialize({"model_config": json.dumps(config), "model_instance_kind": "CPU"})
x = np.ones((1, 3, 4, 4), np.float32)
right, wrong = served.execute([Request(x=x, target=np.array([[1]])), Request(x=x, target=np.array([[9]]))])
print(json.dumps({
    "answer": [[tensor.name, tensor.value.shape] for tensor in right.tensors],
    "refusal": wrong.error.message,
    "files": [module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "fgcompile"],
}))
"""


def test_it_runs_on_the_copy_alone_and_on_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(onnx_artifact(tiny_metadata()))
    (version,) = write_models([tmp_path / "tiny.onnx"], tmp_path / "models", Deployment(python=True))
    environment = make_environment(tmp_path / "environment", ["numpy", "onnxruntime"])
    (environment.packages / "triton_python_backend_utils.py").write_text(TRITON)
    assert environment.run("-c", "import fgcompile", folder=tmp_path).returncode == 1
    copied = {str(path) for path in (version / "fgcompile").rglob("*.py")}
    done = environment.run("-B", "-c", SCRIPT, folder=version)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["answer"] == [["saliency", [1, 1, 4, 4]]]
    assert "target 9 is out of range" in found["refusal"]
    assert set(found["files"]) == copied
