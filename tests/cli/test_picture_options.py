"""What is said of pictures by options goes before what a source says, one by one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fgcompile.artifact.fitting import Fit
from fgcompile.cli.arguments import InputShape
from fgcompile.cli.pictures import Wanted, parse_wanted, preprocess_of, shapes_of
from fgcompile.cli.presets.preset import Preset
from fgcompile.errors import InputError

PRESET = Preset("lib", (0.1, 0.2, 0.3), (1.0, 2.0, 3.0), shape=(3, 64, 64), fit=Fit("crop", (80, 80), "bilinear"))


def example(*shape: int) -> Any:
    return SimpleNamespace(shape=(2, *shape))


def test_options_win_over_what_was_read_one_by_one() -> None:
    plain, _ = preprocess_of(Wanted(), PRESET, [example(3, 64, 64)])
    assert plain is not None
    assert (plain.mean, plain.fit, plain.origin) == (PRESET.mean, PRESET.fit, "lib")
    own = Wanted(mean=(0.0,) * 3, std=(1.0,) * 3, order="bgr", mode="squash", interpolation="nearest")
    changed, _ = preprocess_of(own, PRESET, [example(3, 64, 64)])
    assert changed is not None
    assert (changed.mean, changed.order, changed.fit) == ((0.0,) * 3, "bgr", Fit("squash", None, "nearest"))
    resized, _ = preprocess_of(Wanted(resize=(70, 70)), PRESET, [example(3, 64, 64)])
    assert resized is not None
    assert resized.fit == Fit("crop", (70, 70), "bilinear")
    scaled, _ = preprocess_of(Wanted(scale=(-1.0, 1.0)), PRESET, [example(3, 64, 64)])
    assert scaled is not None
    assert (scaled.mean, scaled.std, scaled.scale) == ((0.0,) * 3, (1.0,) * 3, (-1.0, 1.0))


def test_of_another_size_as_much_of_a_picture_is_kept() -> None:
    preprocess, _ = preprocess_of(Wanted(), PRESET, [example(3, 32, 128)])
    assert preprocess is not None
    assert preprocess.fit == Fit("crop", (40, 160), "bilinear")


@pytest.mark.parametrize(
    ("examples", "takes"),
    [([example(1, 64, 64)], "1 × 64 × 64"), ([example(8)], "8"), ([example(3, 8, 8)] * 2, "several inputs")],
)
def test_what_does_not_fit_the_model_is_left_out_by_name(examples: list[Any], takes: str) -> None:
    preprocess, preset = preprocess_of(Wanted(), PRESET, examples)
    assert preprocess is None
    assert preset is not None
    assert preset.left_out[-1].endswith(f"of 3 channels: the model takes {takes}")


def test_without_a_preset_nothing_is_made_up() -> None:
    assert preprocess_of(Wanted(), None, [example(3, 64, 64)]) == (None, None)
    with pytest.raises(InputError, match="--order and --fit: the artifact takes prepared arrays"):
        preprocess_of(Wanted(order="bgr", mode="squash"), None, [example(3, 64, 64)])
    alone, _ = preprocess_of(Wanted(scale=(0.0, 255.0)), None, [example(1, 64, 64)])
    assert alone is not None
    assert (alone.mean, alone.scale, alone.fit, alone.origin) == ((0.0,), (0.0, 255.0), None, None)


def test_sizes_that_were_given_win() -> None:
    given = [InputShape((3, 8, 8), "float32")]
    assert shapes_of(given, PRESET, None) == given
    assert shapes_of([], PRESET, None) == [InputShape((3, 64, 64), "float32")]
    assert shapes_of([], None, None) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((("0.5", None), None, None, (None,) * 3), "--mean and --std go together"),
        ((("0.5,0.5", "1,1,1"), None, None, (None,) * 3), "--mean has 2 numbers and --std 3"),
        (((None, None), "255", None, (None,) * 3), "--scale 255: give the values of black and white"),
        (((None, None), "1,0", None, (None,) * 3), "--scale 1,0"),
        (((None, None), None, None, (None, "0", None)), "--resize 0: give the side"),
        (((None, None), None, None, (None, "1x2x3", None)), "--resize 1x2x3"),
    ],
)
def test_options_that_cannot_be_read(options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_wanted(*options)


def test_one_number_is_for_all_channels() -> None:
    wanted = parse_wanted(("0.5", "0.1,0.2,0.3"), None, None, (None,) * 3)
    preprocess, _ = preprocess_of(wanted, None, [example(3, 8, 8)])
    assert preprocess is not None
    assert (preprocess.mean, preprocess.std) == ((0.5,) * 3, (0.1, 0.2, 0.3))
