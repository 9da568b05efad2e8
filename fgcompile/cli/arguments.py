"""What the command line's options say, from their texts; each mistake is one line."""

from __future__ import annotations

import inspect
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fgcompile.artifact.names import SUFFIXES
from fgcompile.artifact.regular import read_regular
from fgcompile.errors import InputError, SourceError
from fgcompile.media.reading import Reading

DEFAULT_INPUT = "3x224x224"

SCORES = (
    *("Difference", "Contrast", "LogOdds", "Value", "Region", "Token", "Continuation", "Similarity", "Box"),
    *("Box.yolov5", "Box.yolov8", "Box.detr", "Box.retinanet"),
)
"""The scores of ``fgcompile.scores``, by name: that module needs torch, which the command line imports late."""


def choose_format(wanted: str | None, output: Path) -> str:
    """The wanted format, or the one of ``output``'s suffix; refuses, before the work, a name that does not fit it."""
    suffixed = next((format for format, suffix in SUFFIXES.items() if suffix == output.suffix), None)
    if suffixed is None:
        endings = ", ".join(dict.fromkeys(SUFFIXES.values()))
        raise InputError(f"cannot tell the format of {output}: end its name in {endings}")
    if wanted in SUFFIXES and SUFFIXES[wanted] != output.suffix:
        raise InputError(f"--format {wanted} does not fit {output}, which is a name for {suffixed}: change one of them")
    return wanted or suffixed


def parse_target(text: str) -> Any:
    """A class, ``predicted``, the difference ``a-b`` of two logits, ``Score:arguments``, or ``module:function``."""
    if difference := re.fullmatch(r"(\d+)-(\d+)", text):
        from fgcompile.scores import Difference

        return Difference(int(difference[1]), int(difference[2]))
    name, _, arguments = text.partition(":")
    if name in SCORES:
        return _parse_score(name, arguments)
    if ":" in text:
        return _import_target(text, name)
    if text == "predicted":
        return text
    try:
        return int(text)
    except ValueError:
        raise InputError(
            f"--target {text}: give a class as a whole number, 'predicted', a difference of two as 3-5, a score as "
            f"Region:15 (of {', '.join(SCORES)}), or package.module:function"
        ) from None


def _import_target(text: str, name: str) -> Any:
    """A function of the user's own; what may have been meant as a score is refused with the scores that there are."""
    from fgcompile.cli.sources import import_callable

    try:
        return import_callable(text)
    except SourceError as error:
        if "." in name and not name[0].isupper():
            raise
        raise InputError(f"--target {text} is no score ({', '.join(SCORES)}) and no function: {error}") from None


def _parse_score(name: str, text: str) -> Any:
    """One of ``fgcompile.scores``: its arguments by position or as ``keyword=value``, ``Box.yolov8`` its own ways."""
    from fgcompile import scores

    values: list[Any] = []
    keywords: dict[str, Any] = {}
    for part in text.split(",") if text else []:
        keyword, separator, value = part.rpartition("=")
        if separator:
            keywords[keyword.strip()] = _parse_value(name, text, value)
        else:
            values.append(_parse_value(name, text, part))
    make = operator.attrgetter(name)(scores)
    try:
        inspect.signature(make).bind(*values, **keywords)
    except TypeError:
        takes = ", ".join(str(each).replace("'", "") for each in inspect.signature(make).parameters.values())
        raise InputError(f"--target {name}:{text}: {name} takes {takes}") from None
    return make(*values, **keywords)


def _parse_value(name: str, text: str, value: str) -> Any:
    """A number, ``none``, ``true`` or ``false``, or numbers with ``/`` between them."""
    words = {"none": None, "true": True, "false": False}
    stripped = value.strip().lower()
    if stripped in words:
        return words[stripped]
    try:
        numbers = tuple(float(part) if "." in part or "e" in part else int(part) for part in stripped.split("/"))
    except ValueError:
        raise InputError(f"--target {name}:{text}: '{value}' is no number, none, true or false") from None
    return numbers[0] if len(numbers) == 1 else numbers


def parse_layouts(texts: Sequence[str]) -> dict[str, str]:
    """``NAME=LAYOUT`` for each."""
    layouts = {}
    for text in texts:
        name, separator, layout = text.partition("=")
        if not separator or not name or not layout.strip():
            raise InputError(f"--layout {text}: write NAME=LAYOUT, e.g. 'x=n h w c'")
        layouts[name] = layout.strip()
    return layouts


def parse_normalisation(mean: str | None, std: str | None) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    if mean is None and std is None:
        return None
    if mean is None or std is None:
        raise InputError("--mean and --std go together: give both")
    return _parse_numbers("--mean", mean), _parse_numbers("--std", std)


def parse_reading(window: str | None, background: str, page: int, max_pixels: int) -> Reading:
    """How pictures are read, from the options ``--window``, ``--background``, ``--page``, ``--max-pixels``."""
    from PIL import ImageColor

    ends = None if window is None else _parse_numbers("--window", window, "the values of black and white, LOW,HIGH")
    if ends is not None and len(ends) != 2:
        raise InputError(f"--window {window}: give the values of black and white, LOW,HIGH")
    try:
        color = ImageColor.getrgb(background)
    except ValueError:
        raise InputError(f"--background {background}: give a colour's name, as white, or '#rrggbb'") from None
    if len(color) != 3:
        raise InputError(f"--background {background}: give an opaque colour, as '#rrggbb'")
    return Reading(ends, color, page, max_pixels)


def _parse_numbers(option: str, text: str, wanted: str = "one number a channel, separated by commas") -> Any:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} {text}: give {wanted}") from None


def read_labels(path: Path) -> list[str]:
    try:
        return read_regular(path).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as labels ({error}): give a UTF-8 text file, a name a line") from error


DTYPES = ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
"""What an input on the command line may be of."""


@dataclass(frozen=True)
class InputShape:
    """An input's sizes without the batch, its dtype, and the parameter that it is for, if it has been named."""

    sizes: tuple[int, ...]
    dtype: str
    name: str | None = None


def parse_input(text: str) -> InputShape:
    """The sizes of ``3x224x224``, the dtype behind, as in ``128:int64``, and the name in front, ``ids=128:int64``."""
    name, separator, rest = text.rpartition("=")
    shape, _, dtype = rest.partition(":")
    try:
        sizes = tuple(int(part) for part in shape.split("x"))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1 or dtype not in ("", *DTYPES) or bool(separator) != bool(re.fullmatch(r"\S+", name)):
        raise InputError(
            f"--input {text}: give one input's shape without the batch, e.g. {DEFAULT_INPUT} or 128:int64, "
            "and its name in front if you like, ids=128:int64"
        )
    return InputShape(sizes, dtype or "float32", name or None)


def parse_fixed(texts: Sequence[str]) -> dict[str, float]:
    """Inputs that are constants, ``sr=16000``.

    Raises:
        InputError: One is no name and a number.
    """
    fixed = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        try:
            fixed[name] = int(value) if re.fullmatch(r"[-+]?\d+", value) else float(value)
        except ValueError:
            name = ""
        if not name:
            raise InputError(f"--fix {text}: give an input's name and its number, as sr=16000")
    return fixed
