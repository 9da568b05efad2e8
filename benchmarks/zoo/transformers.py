"""The zoo's networks of transformers: small configurations of well-known families."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from benchmarks.networks.torchvision_shim import define_missing_operators
from benchmarks.networks.weights import Draw
from benchmarks.zoo.inputs import (
    Integers,
    Smooth,
    last_token_score,
    logit_score,
    mean_state_score,
    segmentation_score,
    text_vector_score,
)

LABELS = 10
VOCABULARY = 100

TOKENS = Integers(VOCABULARY, 12, low=3)  # below are padding and the like
IMAGE = Smooth((3, 64, 64))
VIDEO = Smooth((3, 4, 32, 32), order=(1, 0, 2, 3))
WAVEFORM = Smooth((1, 4000), squeeze=True)

_ENCODER = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
_TEXT = {"vocab_size": VOCABULARY, **_ENCODER}
_VISION = {"image_size": 64, **_ENCODER}
_DECODER = {**_TEXT, "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_SPEECH = {
    **_ENCODER,
    "vocab_size": VOCABULARY,
    "conv_dim": (32, 32, 32),
    "conv_kernel": (10, 3, 3),
    "conv_stride": (5, 4, 4),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 32,
}


@dataclass(frozen=True)
class TransformersModel:
    """A network of transformers.

    Attributes:
        name: Its name in the zoo.
        domain: What it is for.
        model: The name of its class.
        config: The name of its configuration's class.
        draw: Draws inputs.
        settings: Values of its configuration.
        score: What is explained.
    """

    name: str
    domain: str
    model: str
    config: str
    draw: Draw
    settings: Mapping[str, Any] = field(default_factory=dict)
    score: Callable[[Any], Tensor] = logit_score

    def summary(self) -> str:
        """Layers and width."""
        settings = dict(self.settings)
        layers = [
            settings[key]
            for key in ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "depths")
            if key in settings
        ]
        widths = [
            settings[key]
            for key in ("hidden_size", "n_embd", "dim", "d_model", "embed_dim", "hidden_sizes")
            if key in settings
        ]
        return f"layers {layers[0]}, width {widths[0]}"


def transformers_network(row: TransformersModel) -> nn.Module:
    """Builds a network of transformers from its configuration, its weights still as the library initialises them."""
    define_missing_operators()
    import transformers

    config = getattr(transformers, row.config)(**{"num_labels": LABELS, **row.settings})
    config.use_cache = False
    model: nn.Module = getattr(transformers, row.model)._from_config(config)
    return model


TRANSFORMERS = (
    TransformersModel("hf_vit", "classification", "ViTForImageClassification", "ViTConfig", IMAGE, _VISION),
    TransformersModel("hf_deit", "classification", "DeiTForImageClassification", "DeiTConfig", IMAGE, _VISION),
    TransformersModel(
        "hf_dinov2_registers",
        "classification",
        "Dinov2WithRegistersForImageClassification",
        "Dinov2WithRegistersConfig",
        IMAGE,
        {"image_size": 64, "patch_size": 16, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
    ),
    TransformersModel(
        "hf_swin",
        "classification",
        "SwinForImageClassification",
        "SwinConfig",
        IMAGE,
        {"image_size": 64, "embed_dim": 24, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4},
    ),
    TransformersModel(
        "hf_segformer",
        "segmentation",
        "SegformerForSemanticSegmentation",
        "SegformerConfig",
        IMAGE,
        {
            "depths": [1, 1, 1, 1],
            "hidden_sizes": [16, 32, 64, 64],
            "num_attention_heads": [1, 2, 4, 4],
            "decoder_hidden_size": 32,
        },
        segmentation_score,
    ),
    TransformersModel(
        "hf_clip_vision",
        "similarity",
        "CLIPVisionModelWithProjection",
        "CLIPVisionConfig",
        IMAGE,
        {**_VISION, "patch_size": 16, "projection_dim": 32},
        text_vector_score,
    ),
    TransformersModel(
        "hf_wav2vec2",
        "audio",
        "Wav2Vec2ForSequenceClassification",
        "Wav2Vec2Config",
        WAVEFORM,
        {**_SPEECH, "num_feat_extract_layers": 3},
    ),
    TransformersModel(
        "hf_hubert",
        "audio",
        "HubertForSequenceClassification",
        "HubertConfig",
        WAVEFORM,
        {**_SPEECH, "num_feat_extract_layers": 3},
    ),
    TransformersModel(
        "hf_ast",
        "audio",
        "ASTForAudioClassification",
        "ASTConfig",
        Smooth((1, 64, 32), squeeze=True),
        {**_ENCODER, "max_length": 64, "num_mel_bins": 32},
    ),
    TransformersModel(
        "hf_whisper_encoder",
        "audio",
        "WhisperForAudioClassification",
        "WhisperConfig",
        Smooth((16, 100)),
        {
            "num_mel_bins": 16,
            "d_model": 64,
            "encoder_layers": 2,
            "num_hidden_layers": 2,
            "encoder_attention_heads": 4,
            "encoder_ffn_dim": 128,
            "max_source_positions": 50,
            "classifier_proj_size": 32,
            "vocab_size": VOCABULARY,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 1,
        },
    ),
    TransformersModel(
        "hf_videomae",
        "video",
        "VideoMAEForVideoClassification",
        "VideoMAEConfig",
        VIDEO,
        {**_ENCODER, "image_size": 32, "patch_size": 16, "num_frames": 4},
    ),
    TransformersModel(
        "hf_timesformer",
        "video",
        "TimesformerForVideoClassification",
        "TimesformerConfig",
        VIDEO,
        {**_ENCODER, "image_size": 32, "patch_size": 16, "num_frames": 4},
    ),
    TransformersModel("hf_bert", "text", "BertForSequenceClassification", "BertConfig", TOKENS, _TEXT),
    TransformersModel(
        "hf_distilbert",
        "text",
        "DistilBertForSequenceClassification",
        "DistilBertConfig",
        TOKENS,
        {"vocab_size": VOCABULARY, "dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 128},
    ),
    TransformersModel("hf_roberta", "text", "RobertaForSequenceClassification", "RobertaConfig", TOKENS, _TEXT),
    TransformersModel(
        "hf_albert", "text", "AlbertForSequenceClassification", "AlbertConfig", TOKENS, {**_TEXT, "embedding_size": 32}
    ),
    TransformersModel(
        "hf_electra",
        "text",
        "ElectraForSequenceClassification",
        "ElectraConfig",
        TOKENS,
        {**_TEXT, "embedding_size": 32},
    ),
    TransformersModel("hf_deberta_v2", "text", "DebertaV2ForSequenceClassification", "DebertaV2Config", TOKENS, _TEXT),
    TransformersModel(
        "hf_gpt2",
        "text",
        "GPT2ForSequenceClassification",
        "GPT2Config",
        TOKENS,
        {
            "vocab_size": VOCABULARY,
            "n_embd": 64,
            "n_layer": 2,
            "n_head": 4,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
    ),
    TransformersModel(
        "hf_t5_encoder",
        "text",
        "T5EncoderModel",
        "T5Config",
        TOKENS,
        {"vocab_size": VOCABULARY, "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4},
        mean_state_score,
    ),
    TransformersModel("hf_llama", "text", "LlamaForSequenceClassification", "LlamaConfig", TOKENS, _DECODER),
    TransformersModel(
        "hf_llama_next_token", "text", "LlamaForCausalLM", "LlamaConfig", TOKENS, _DECODER, last_token_score
    ),
    TransformersModel("hf_mistral", "text", "MistralForSequenceClassification", "MistralConfig", TOKENS, _DECODER),
    TransformersModel(
        "hf_qwen3", "text", "Qwen3ForSequenceClassification", "Qwen3Config", TOKENS, {**_DECODER, "head_dim": 16}
    ),
    TransformersModel(
        "hf_mamba",
        "text",
        "MambaForCausalLM",
        "MambaConfig",
        TOKENS,
        {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "pad_token_id": 0},
        last_token_score,
    ),
)
