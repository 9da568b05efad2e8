"""Examples of what a model of transformers takes, by its configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from fgcompile.cli.configured import configured_shapes, takes_text
from fgcompile.cli.examples import example_inputs
from fgcompile.cli.sources import load_source

transformers = pytest.importorskip("transformers", reason="needs transformers: pip install transformers")

TINY = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
TEXT = {"vocab_size": 20, "max_position_embeddings": 24, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SPEECH = {
    "d_model": 8,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_ffn_dim": 8,
    "decoder_ffn_dim": 8,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "num_mel_bins": 4,
    "max_source_positions": 8,
    "decoder_start_token_id": 1,
    "max_target_positions": 24,
}

CASES = {
    "bert": (
        "BertForSequenceClassification",
        "BertConfig",
        {**TINY, **TEXT},
        {"input_ids": (12,), "attention_mask": (12,), "token_type_ids": (12,)},
    ),
    "llama": ("LlamaForCausalLM", "LlamaConfig", {**TINY, **TEXT}, {"input_ids": (12,), "attention_mask": (12,)}),
    "vit": (
        "ViTForImageClassification",
        "ViTConfig",
        {**TINY, "image_size": 16, "patch_size": 8},
        {"pixel_values": (3, 16, 16)},
    ),
    "whisper": (
        "WhisperForConditionalGeneration",
        "WhisperConfig",
        {**{key: value for key, value in TEXT.items() if key != "max_position_embeddings"}, **SPEECH},
        {"input_features": (4, 16), "decoder_input_ids": (9,)},
    ),
}


def saved(folder: Path, name: str) -> str:
    model, config, settings, _ = CASES[name]
    made = getattr(transformers, config)(**settings)
    made.architectures = [model]
    made.save_pretrained(folder)
    return f"transformers:{folder}"


@pytest.mark.parametrize("name", CASES)
def test_a_model_runs_on_what_its_configuration_says(name: str, tmp_path: Path) -> None:
    model = load_source(saved(tmp_path, name))
    shapes = configured_shapes(model)
    assert {shape.name: shape.sizes for shape in shapes} == CASES[name][3]
    assert takes_text(shapes) == (name != "vit")
    (inputs,) = example_inputs(model, [])
    with torch.no_grad():
        model(**inputs)
    if "attention_mask" in inputs:
        assert (inputs["attention_mask"] == 1).all()
        assert len(inputs["input_ids"].unique()) > 1
        assert inputs["input_ids"].max() < 20


def test_other_models_say_nothing() -> None:
    assert configured_shapes(torch.nn.Linear(2, 2)) == []


def test_sharded_weights_in_half_precision_are_read_as_they_are(tmp_path: Path) -> None:
    saved(tmp_path, "bert")
    config = transformers.BertConfig.from_pretrained(tmp_path)
    model = transformers.BertForSequenceClassification(config).bfloat16()
    model.save_pretrained(tmp_path, max_shard_size="1KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"
    loaded = load_source(f"transformers:{tmp_path}")
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.bfloat16}
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), model.parameters(), strict=True))
