"""The names that artifacts, runtimes and servers agree on."""

from __future__ import annotations

import re

SUFFIXES = {"onnx": ".onnx", "torchscript": ".pt", "pt2": ".pt2", "exported": ".pt2"}
"""The formats of artifacts, and how the names of their files end; the first is what an ending alone says."""


METADATA_KEY = "fgcompile"
"""The key of the metadata in ONNX's ``metadata_props``."""


METADATA_FILE = f"{METADATA_KEY}.json"
"""The name of the metadata as an extra file of TorchScript and ``.pt2``."""


DATA_KEY = f"{METADATA_KEY}.data"
"""The key of the digest of the weights beside an artifact in ONNX's ``metadata_props``."""


DATA_SUFFIX = ".data"
"""What the name of the file of weights has behind that of the artifact."""


TOKENIZER_KEY = f"{METADATA_KEY}.tokenizer"
"""The key of a text model's tokenizer in ONNX's ``metadata_props``."""


TOKENIZER_FILE = f"{TOKENIZER_KEY}.json"
"""The name of the tokenizer as an extra file of TorchScript and ``.pt2``."""


EXPLAIN = "explain"
"""The boolean input of an artifact that explains on demand: whether to explain, or to return the logits alone."""


TARGET = "target"
"""The input of an artifact that says which class to explain."""


DYNAMIC = "dynamic"
"""What ``targets`` is of an artifact that takes any number of them in a call."""


TARGETS = "targets"
"""The name of that number in shapes."""


LOGITS = "logits"
"""The output that holds what the model returns."""


CONTRIBUTIONS = "contributions"
"""The output of the signed sum of every term."""


RESIDUAL = "residual"
"""The output of what the terms lack of the score."""


EXPLANATION = ("saliency", CONTRIBUTIONS, RESIDUAL, "input_gradient", "bias_gradients")
"""The outputs that explain; where one of them is several, ``.`` and a name stand behind."""


def is_predicted(output: str) -> bool:
    """Whether an output is what the model returns: the logits, or another under its own name."""
    return output.partition(".")[0] not in EXPLANATION


MODEL = "model"
"""The name, in a ``.pt2``, of the model that does all."""


PREDICT = "predict"
"""The name, in a ``.pt2`` on demand, of the model that predicts; the one that explains is called ``explain``."""


DEFAULTS_FILE = f"{METADATA_KEY}.defaults.json"
"""The extra file of a ``.pt2`` with the values of optional inputs: their bytes in base64, by name."""


WHOLE_NUMBER = re.compile(r"[-+]?\d{1,18}", re.ASCII)
"""What a class or an index is written as, where it is no name."""
