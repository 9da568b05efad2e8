"""The language models that are compiled: of Transformers, with random weights, in the sizes of released ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.networks.torchvision_shim import define_missing_operators

SHARD = "500MB"
"""The most of one file of a checkpoint."""

TOKENS = 16
"""The length of the example."""


@dataclass(frozen=True)
class Subject:
    """A checkpoint.

    Attributes:
        family: The family in the names of classes of Transformers.
        head: What stands behind it there.
        dtype: What the weights are saved in.
        settings: Of its configuration.
    """

    family: str
    head: str
    dtype: str
    settings: Mapping[str, Any]

    def write(self, folder: Path) -> int:
        """Writes the checkpoint, sharded; returns the number of parameters."""
        define_missing_operators()
        import transformers

        torch.manual_seed(0)
        config = getattr(transformers, f"{self.family}Config")(**self.settings)
        torch.set_default_dtype(getattr(torch, self.dtype))
        try:
            model = getattr(transformers, f"{self.family}{self.head}")(config)
        finally:
            torch.set_default_dtype(torch.float32)
        model.save_pretrained(folder, max_shard_size=SHARD)
        return sum(parameter.numel() for parameter in model.parameters())


def _llama(dtype: str, width: int, inner: int, layers: int, heads: tuple[int, int], tokens: int) -> Subject:
    settings = {
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads[0],
        "num_key_value_heads": heads[1],
        "vocab_size": tokens,
        "max_position_embeddings": 2048,
        "use_cache": False,
    }
    return Subject("Llama", "ForCausalLM", dtype, settings)


def _bert(layers: int) -> Subject:
    settings = {
        "hidden_size": 256,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "intermediate_size": 1024,
        "vocab_size": 1000,
    }
    return Subject("Bert", "ForSequenceClassification", "float32", settings)


SUBJECTS: Mapping[str, Subject] = {
    "Llama, 44 million": _llama("float32", 512, 1408, 8, (8, 8), 18000),
    "Llama, 44 million, bfloat16": _llama("bfloat16", 512, 1408, 8, (8, 8), 18000),
    **{f"BERT of {layers} layers": _bert(layers) for layers in (2, 4, 8, 16, 32)},
    "Llama, 1.1 billion, bfloat16": _llama("bfloat16", 2048, 5632, 22, (32, 4), 32000),
}
"""By name. The last is as large as TinyLlama."""

LARGE = ("Llama, 1.1 billion, bfloat16",)
"""Those that need 16 GB of memory and 12 GB of disk, and so have to be named."""
