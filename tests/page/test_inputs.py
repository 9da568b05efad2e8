"""The page refuses texts that are too long for the model as the runtime does, before ONNX Runtime sees them."""

from __future__ import annotations

import pytest

from fgcompile.artifact.validation import check_inputs
from fgcompile.errors import InputError
from fgcompile.text.inputs import fill, find_inputs
from tests.support.javascript import run_module
from tests.text.test_inputs import metadata, spec, text

FILL = """given.map(({ inputs, count }) => {
  const { texts } = findInputs({ inputs, outputs: [], target: "predicted" });
  const pieces = Array.from({ length: count }, () => ({ id: 0, typeId: 0 }));
  try {
    return Object.fromEntries(Object.entries(fill(texts[0], pieces, [0, 0])).map(([name, { dims }]) => [name, dims]));
  } catch (error) {
    return error.message;
  }
})"""


def test_texts_beyond_the_models_positions_are_refused_in_the_same_words() -> None:
    names = ("input_ids", "attention_mask")
    cases = [
        (shape, more, count)
        for count in (24, 25, 60)
        for shape, more in (
            (("batch", "length"), {"largest": ["batch", 24]}),
            (("length", "batch"), {"largest": [24, "batch"]}),
            (("batch", "8*length"), {"largest": ["batch", 24]}),
        )
    ]
    given = [{"inputs": [spec(name, *shape, **more) for name in names], "count": count} for shape, more, count in cases]
    read = run_module({"text/inputs.js": "fill, findInputs"}, FILL, given)
    for (shape, more, count), found in zip(cases, read, strict=True):
        described = metadata(*(spec(name, *shape, **more) for name in names))
        feeds = fill(find_inputs(described).texts[0], [text(*[0] * count)], (0, 0), None)
        if isinstance(found, str):
            with pytest.raises(InputError) as refused:
                check_inputs(feeds, described)
            assert str(refused.value) == found
        else:
            assert {name: list(value.shape) for name, value in check_inputs(feeds, described).items()} == found
        assert isinstance(found, str) == (count > 24)
