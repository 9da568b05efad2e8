"""The ``model.py`` of Triton's Python backend, which answers requests with the artifact beside it.

``fgcompile triton --backend python`` copies it into the repository, together with the modules of fgcompile that it
imports; the server needs numpy and onnxruntime.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

sys.path.insert(0, str(Path(__file__).parent))  # where the copy of fgcompile is

from fgcompile.errors import InputError
from fgcompile.runtime.session import Provider, load
from fgcompile.serving.admission import Limits, admit


class TritonPythonModel:
    """An artifact, loaded; Triton calls its methods."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads ``model.onnx``; Triton does not start a model for which this fails, and says why."""
        config = json.loads(args["model_config"])
        self._limits = Limits(batch=int(config["parameters"]["max_batch"]["string_value"]))
        self._inputs = [tensor["name"] for tensor in config["input"]]
        self._session = load(Path(__file__).with_name("model.onnx"), _providers(args))

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """An answer or a refusal for each request."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        tensors = {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self._inputs}
        try:
            outputs = self._session.run(admit(tensors, self._session.metadata, self._limits))
        except InputError as error:
            refusal = pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG)
            return pb_utils.InferenceResponse(error=refusal)
        wanted = request.requested_output_names()
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, outputs[name]) for name in outputs if name in wanted])


def _providers(args: dict[str, str]) -> list[Provider]:
    if args["model_instance_kind"] != "GPU":
        return ["CPUExecutionProvider"]
    return [("CUDAExecutionProvider", {"device_id": args["model_instance_device_id"]})]
