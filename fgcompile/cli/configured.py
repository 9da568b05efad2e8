"""What a model of Transformers takes, by its configuration: the shapes of examples where nobody gives them.

input_ids, attention_mask, token_type_ids   a text, by the names that its tokenizer hands
decoder_input_ids                           what has been written of it, of another length
pixel_values                                pictures of the configured size
input_features, input_values                the sound that is heard, as a spectrum or as it is
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from fgcompile.cli.arguments import InputShape

TOKENS, WRITTEN, SAMPLES = 16, 9, 4000
"""The lengths of an example's text, of what is written of it, and of its sound."""

WORDS = "input_ids"


def configured_shapes(model: object) -> list[InputShape]:
    """The inputs of a model of Transformers by name; none where it is another, or its configuration does not say."""
    config = getattr(model, "config", None)
    forward, main = getattr(model, "forward", None), getattr(model, "main_input_name", None)
    if config is None or forward is None or not isinstance(main, str):
        return []
    return list(_shapes(config, set(inspect.signature(forward).parameters), main))


def takes_text(shapes: list[InputShape]) -> bool:
    """Whether an input is a text, whose length is nobody's choice."""
    return any(shape.name in (WORDS, "decoder_input_ids") for shape in shapes)


def _shapes(config: Any, taken: set[str], main: str) -> Iterator[InputShape]:
    text, vision = (getattr(config, f"{name}_config", None) or config for name in ("text", "vision"))
    both = hasattr(config, "text_config") and hasattr(config, "vision_config") and {WORDS, "pixel_values"} <= taken
    length = _length(text)
    if main == WORDS or both:
        yield InputShape((length,), "int64", WORDS)
        if "attention_mask" in taken:
            yield InputShape((length,), "int64", "attention_mask")
        if "token_type_ids" in taken and (getattr(text, "type_vocab_size", 0) or 0) > 1:
            yield InputShape((length,), "int64", "token_type_ids")
    if main == "pixel_values" or both:
        size = getattr(vision, "image_size", None) or 224
        height, width = (size, size) if isinstance(size, int) else tuple(size)
        yield InputShape((getattr(vision, "num_channels", 3), height, width), "float32", "pixel_values")
    if main == "input_features":
        frames = 2 * getattr(config, "max_source_positions", TOKENS)
        yield InputShape((getattr(config, "num_mel_bins", 80), frames), "float32", main)
    if main == "input_values":
        yield InputShape((SAMPLES,), "float32", main)
    if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in taken:
        yield InputShape((min(WRITTEN, length),), "int64", "decoder_input_ids")


def _length(config: Any) -> int:
    """A text's, half as long as its table of positions at most, so that longer ones can be tried."""
    longest = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    return TOKENS if not isinstance(longest, int) else max(2, min(TOKENS, longest // 2))
