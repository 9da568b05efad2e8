"""The families of transformers whose lengths are dynamic: tiny random networks, and inputs as tokenizers hand them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.networks.torchvision_shim import define_missing_operators

VOCABULARY, LONGEST, MELS, FRAMES = 60, 40, 8, 32
"""Words, the end of the tables of positions, and what Whisper hears."""

Inputs = dict[str, Tensor]
Make = Callable[[int, int, int], Inputs]
"""Draws the inputs, by name, of a number of samples, of a length or size, from a seed."""


def _draw(count: int, length: int, seed: int) -> tuple[Tensor, Tensor]:
    """Ids int64 ``(N, L)`` and their mask: every other text is padded behind by a third."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, VOCABULARY, (count, length), generator=generator)
    mask = torch.ones_like(ids)
    mask[1::2, length - length // 3 :] = 0
    return torch.where(mask == 1, ids, 0), mask


def texts(count: int, length: int, seed: int) -> Inputs:
    """Padded texts."""
    ids, mask = _draw(count, length, seed)
    return {"input_ids": ids, "attention_mask": mask}


def pairs_of_texts(count: int, length: int, seed: int) -> Inputs:
    """Padded texts of two parts."""
    inputs = texts(count, length, seed)
    types = (torch.arange(length) >= length // 2).long().expand(count, length)
    return {**inputs, "token_type_ids": types.contiguous()}


def texts_alone(count: int, length: int, seed: int) -> Inputs:
    """Texts of one length, for networks without a mask."""
    generator = torch.Generator().manual_seed(seed)
    return {"input_ids": torch.randint(3, VOCABULARY, (count, length), generator=generator)}


def translations(count: int, length: int, seed: int) -> Inputs:
    """Padded texts and what is written for them, of another length."""
    ids, _ = _draw(count, length // 2 + 1, seed + 1)
    return {**texts(count, length, seed), "decoder_input_ids": ids}


def speech(count: int, length: int, seed: int) -> Inputs:
    """A sound of a fixed length, and what is written of it."""
    generator = torch.Generator().manual_seed(seed)
    sound = torch.randn(count, MELS, FRAMES, generator=generator)
    return {"input_features": sound, "decoder_input_ids": texts_alone(count, length, seed)["input_ids"]}


def images(count: int, size: int, seed: int) -> Inputs:
    """Pictures."""
    generator = torch.Generator().manual_seed(seed)
    return {"pixel_values": torch.randn(count, 3, size, size, generator=generator)}


def captions(count: int, length: int, seed: int) -> Inputs:
    """Texts and pictures of a fixed size."""
    return {**texts(count, length, seed), **images(count, 32, seed)}


IMAGE, PARTS = VOCABULARY - 1, 4
"""The word that stands for a part of a picture, and how many parts there are."""


def pictured(count: int, length: int, seed: int) -> Inputs:
    """Texts of one length in which the parts of a picture of 16 by 16 stand, and the picture."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, IMAGE, (count, length), generator=generator)
    ids[:, 1 : 1 + PARTS] = IMAGE
    return {"input_ids": ids, **images(count, 16, seed)}


class Interpolating(nn.Module):
    """A network of transformers that is told to interpolate its positions."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Tensor) -> Any:
        """The network's output."""
        return self.model(pixel_values=pixel_values, interpolate_pos_encoding=True)


def likeness(outputs: Any) -> Tensor:
    """The product ``(N,)`` of each picture's vector and its own text's."""
    score: Tensor = (outputs["image_embeds"] * outputs["text_embeds"]).sum(-1)
    return score


def mean_state(outputs: Any) -> Tensor:
    """The first feature of the last hidden states at the first token, ``(N,)``."""
    score: Tensor = outputs["last_hidden_state"][:, 0, 0]
    return score


TEXT_LENGTHS = (1, 7, 12, 23, LONGEST)
"""One, an odd one, the example's, a larger one, the table's end."""

IMAGE_SIZES = (16, 24, 32, 40, 64)


@dataclass(frozen=True)
class Family:
    """A family of transformers.

    Attributes:
        name: Its name in the table.
        model: The name of its class in transformers.
        config: That of its configuration's.
        settings: Values of it.
        make: Draws inputs.
        lengths: Those that it is tried at, the third of them the example's.
        target: A class, a score, or ``"next"`` for a word at the last place.
        wrap: What is put around the network.
        dtype: That of the weights.
        batch: The samples of a call, of a network that takes no free batch.
        dynamic: Whether its length or size is dynamic.
        layouts: Layouts by hand.
    """

    name: str
    model: str
    config: str
    settings: Mapping[str, Any]
    make: Make = texts
    lengths: tuple[int, ...] = TEXT_LENGTHS
    target: Any = 1
    wrap: Callable[[nn.Module], nn.Module] | None = None
    dtype: torch.dtype = field(default=torch.float32)
    batch: int | None = None
    dynamic: bool = True
    layouts: Mapping[str, str] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """The network, in evaluation mode, its weights random and large enough to matter."""
        define_missing_operators()
        import transformers

        torch.manual_seed(0)
        settings = dict(self.settings)
        if self.model.endswith("Classification"):
            settings["num_labels"] = 5
        parts = {
            key: getattr(transformers, value["class"])(**{k: v for k, v in value.items() if k != "class"})
            for key, value in settings.items()
            if isinstance(value, Mapping) and "class" in value
        }
        config = getattr(transformers, self.config)(**{**settings, **parts})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model: nn.Module = getattr(transformers, self.model)._from_config(config)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        model = model.eval().to(self.dtype)
        return model if self.wrap is None else self.wrap(model).eval()


_ENCODER = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 48}
_TEXT = {"vocab_size": VOCABULARY, "max_position_embeddings": LONGEST, "pad_token_id": 0, **_ENCODER}
_DECODER = {**_TEXT, "num_key_value_heads": 2, "bos_token_id": 1, "eos_token_id": 2, "head_dim": 8}
_WINDOW = {"sliding_window": 8}
_TWO = {"num_hidden_layers": 2}  # of which one sees a window, the other all
_BOTH_SIDES = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
}
_SEQ2SEQ = {
    "vocab_size": VOCABULARY,
    **_BOTH_SIDES,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
_VISION = {"image_size": 32, "patch_size": 8, **_ENCODER}


def _next(name: str, prefix: str, settings: Mapping[str, Any], **options: Any) -> Family:
    return Family(name, f"{prefix}ForCausalLM", f"{prefix}Config", settings, target="next", **options)


def _classifier(name: str, prefix: str, settings: Mapping[str, Any], **options: Any) -> Family:
    return Family(name, f"{prefix}ForSequenceClassification", f"{prefix}Config", settings, **options)


def _pictures(name: str, prefix: str, settings: Mapping[str, Any], **options: Any) -> Family:
    options = {"make": images, "lengths": IMAGE_SIZES, **options}
    return Family(name, f"{prefix}ForImageClassification", f"{prefix}Config", settings, **options)


_GPT2 = {
    "vocab_size": VOCABULARY,
    "n_embd": 32,
    "n_layer": 1,
    "n_head": 4,
    "n_positions": LONGEST,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_BLOOM = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "n_layer": 1,
    "n_head": 4,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_MAMBA2 = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "state_size": 4,
    "head_dim": 8,
    "num_heads": 8,
    "n_groups": 1,
    "chunk_size": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_MIXTRAL = {**_DECODER, "num_local_experts": 4, "num_experts_per_tok": 2}
_DETR = {
    "use_timm_backbone": False,
    "use_pretrained_backbone": False,
    "backbone": None,
    "backbone_config": {
        "class": "ResNetConfig",
        "embedding_size": 8,
        "hidden_sizes": [8, 8, 16, 16],
        "depths": [1, 1, 1, 1],
        "layer_type": "basic",
        "out_features": ["stage4"],
    },
    "num_queries": 6,
    **_BOTH_SIDES,
    "num_labels": 5,
}
_RT_DETR = {
    "backbone_config": {
        "class": "RTDetrResNetConfig",
        "embedding_size": 8,
        "hidden_sizes": [8, 16, 16, 16],
        "depths": [1, 1, 1, 1],
        "layer_type": "basic",
        "out_features": ["stage2", "stage3", "stage4"],
    },
    "d_model": 16,
    "encoder_hidden_dim": 16,
    "encoder_in_channels": [16, 16, 16],
    "encoder_ffn_dim": 16,
    "encoder_attention_heads": 2,
    "decoder_in_channels": [16, 16, 16],
    "decoder_ffn_dim": 16,
    "decoder_layers": 2,
    "decoder_attention_heads": 2,
    "num_queries": 6,
    "num_denoising": 0,
    "anchor_image_size": None,
    "num_labels": 5,
}
_LLAVA = {
    "text_config": {"class": "LlamaConfig", **_DECODER},
    "vision_config": {"class": "CLIPVisionConfig", **_VISION, "image_size": 16, "projection_dim": 16},
    "image_token_id": IMAGE,
    "vision_feature_layer": -1,
}
_T5 = {
    "vocab_size": VOCABULARY,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": 1,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 20,
    "decoder_start_token_id": 0,
}
_CLIP = {
    "text_config": {**_TEXT, "projection_dim": 16, "bos_token_id": 1, "eos_token_id": 2},
    "vision_config": {**_VISION, "projection_dim": 16},
    "projection_dim": 16,
}
_DEBERTA = {
    **_TEXT,
    "relative_attention": True,
    "position_buckets": 8,
    "pos_att_type": ["p2c", "c2p"],
    "share_att_key": True,
    "position_biased_input": False,
    "type_vocab_size": 0,
}
_WHISPER = {**_SEQ2SEQ, "num_mel_bins": MELS, "max_source_positions": FRAMES // 2, "max_target_positions": LONGEST}

_ALL = (
    _classifier("BERT", "Bert", _TEXT, make=pairs_of_texts),
    _classifier("RoBERTa", "Roberta", {**_TEXT, "max_position_embeddings": LONGEST + 1}),
    _classifier(
        "DistilBERT",
        "DistilBert",
        {
            "vocab_size": VOCABULARY,
            "dim": 32,
            "n_layers": 1,
            "n_heads": 4,
            "hidden_dim": 48,
            "max_position_embeddings": LONGEST,
        },
    ),
    _classifier("DeBERTa-v2", "DebertaV2", _DEBERTA),
    _classifier(
        "ModernBERT",
        "ModernBert",
        {
            **_TEXT,
            **_TWO,
            "local_attention": 8,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "cls_token_id": 1,
            "sep_token_id": 2,
        },
    ),
    Family("GPT-2", "GPT2LMHeadModel", "GPT2Config", _GPT2, target="next"),
    _classifier("GPT-2, classes", "GPT2", _GPT2),
    _next("BLOOM", "Bloom", _BLOOM),
    _next("Llama", "Llama", _DECODER),
    _classifier("Llama, classes", "Llama", _DECODER),
    _next("Qwen 2", "Qwen2", {key: value for key, value in _DECODER.items() if key != "head_dim"}),
    _next("Qwen 3", "Qwen3", _DECODER),
    _next("Mistral", "Mistral", {**_DECODER, **_WINDOW}),
    _next("Gemma 2", "Gemma2", {**_DECODER, **_TWO, **_WINDOW, "query_pre_attn_scalar": 8}),
    Family(
        "Gemma 3",
        "Gemma3ForCausalLM",
        "Gemma3TextConfig",
        {**_DECODER, **_WINDOW, "query_pre_attn_scalar": 8},
        target="next",
    ),
    _next("Phi-3", "Phi3", {key: value for key, value in _DECODER.items() if key != "head_dim"}),
    _next("OLMo-2", "Olmo2", {key: value for key, value in _DECODER.items() if key != "head_dim"}),
    _next("Mixtral", "Mixtral", _MIXTRAL),
    Family("T5", "T5ForConditionalGeneration", "T5Config", _T5, make=translations, target="next"),
    Family("T5 encoder", "T5EncoderModel", "T5Config", _T5, target=mean_state),
    Family(
        "BART",
        "BartForConditionalGeneration",
        "BartConfig",
        {**_SEQ2SEQ, "max_position_embeddings": LONGEST},
        make=translations,
        target="next",
    ),
    Family("Whisper", "WhisperForConditionalGeneration", "WhisperConfig", _WHISPER, make=speech, target="next"),
    _pictures("ViT", "ViT", _VISION, wrap=Interpolating),
    _pictures("DINOv2", "Dinov2", _VISION),
    Family(
        "DINOv3",
        "DINOv3ViTModel",
        "DINOv3ViTConfig",
        {**_VISION, "num_register_tokens": 4},
        images,
        IMAGE_SIZES,
        mean_state,
    ),
    _pictures(
        "Swin",
        "Swin",
        {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4},
    ),
    Family(
        "SigLIP",
        "SiglipModel",
        "SiglipConfig",
        {key: value for key, value in _CLIP.items() if key != "projection_dim"},
        make=captions,
        target=likeness,
        batch=1,
    ),
    Family("CLIP", "CLIPModel", "CLIPConfig", _CLIP, make=captions, target=likeness, batch=1),
    Family("DETR", "DetrForObjectDetection", "DetrConfig", _DETR, images, (32, 48, 64, 80, 128), "next"),
    Family(
        "RT-DETR", "RTDetrForObjectDetection", "RTDetrConfig", _RT_DETR, images, (64,), "next", batch=1, dynamic=False
    ),
    Family(
        "LLaVA",
        "LlavaForConditionalGeneration",
        "LlavaConfig",
        _LLAVA,
        pictured,
        (PARTS + 1, 7, 12, 23, LONGEST),
        "next",
        batch=1,
    ),
    # Its tokens lie in chunks, with padding behind, so that these layers have no places at all sizes.
    _next("Mamba-2", "Mamba2", _MAMBA2, make=texts_alone, layouts={"*.mixer.*": "none"}),
)

_HALF = ("BERT", "Llama", "Gemma 3", "Mixtral", "T5", "Whisper", "ViT")
"""Those that are tried with weights of bfloat16 too."""

FAMILIES: dict[str, Family] = {row.name: row for row in _ALL} | {
    f"{row.name}, bfloat16": Family(**{**row.__dict__, "name": f"{row.name}, bfloat16", "dtype": torch.bfloat16})
    for row in _ALL
    if row.name in _HALF
}
"""Every family by name."""
