"""What the command line's options say, from their texts; each mistake is one line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from fgcompile.artifact.names import SUFFIXES, WHOLE_NUMBER
from fgcompile.artifact.regular import read_regular
from fgcompile.cli.paths import require_files
from fgcompile.cli.score_names import SCORES, read_score
from fgcompile.cli.source_names import is_module
from fgcompile.errors import InputError, SourceError
from fgcompile.pictures.reading import Reading

DEFAULT_INPUT = "3x224x224"
_WORDS = ("none", "true", "false")
"""Words that are arguments of scores."""

_DIFFERENCE = re.compile(r"(\d+)-(\d+)")


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
    target = read_target(text)
    return target() if callable(target) else target


def read_target(text: str) -> int | str | Callable[[], Any]:
    """The target, or what makes it once torch may be imported: what a text can be told to be wrong by is told now.

    A word that is nothing else is the name of a class, which the model's source may have.

    Raises:
        InputError: It is none.
    """
    if difference := _DIFFERENCE.fullmatch(text):
        return read_score("Difference", f"{difference[1]},{difference[2]}")
    name, _, arguments = text.partition(":")
    if name in SCORES:
        if arguments.isidentifier() and Path(f"{name}.py").is_file() and arguments.lower() not in _WORDS:
            raise InputError(
                f"--target {text}: {name} is a score of fgcompile's, and {name}.py a module of yours: rename that, or "
                f"put it into a package, package.{text}"
            )
        return read_score(name, arguments)
    if ":" in text:
        if not (name.endswith(".py") or is_module(name)):
            meant = get_close_matches(name, SCORES, 1)
            perhaps = f": perhaps {meant[0]}" if meant else ""
            raise InputError(
                f"--target {text} is no score ({', '.join(SCORES)}) and no function: no module is {name}{perhaps}"
            )
        return partial(_import_target, text, name)
    if WHOLE_NUMBER.fullmatch(text):
        return int(text)
    if text.endswith(".py") and Path(text).is_file():
        raise InputError(f"--target {text} is a file: name the function in it, {Path(text).stem}:NAME")
    return text


def require_no_class(text: str, labels: Sequence[str] | None) -> None:
    """Refuses a score that a class is called as, ``0-2`` of ages: who wrote it may have meant either.

    Raises:
        InputError: Says how to write each.
    """
    if labels is None or text not in labels or ":" in text:
        return
    difference, index = _DIFFERENCE.fullmatch(text), labels.index(text)
    written = f"{text}:" if difference is None else f"Difference:{difference[1]},{difference[2]}"
    raise InputError(
        f"--target {text} is a score, and class {index} is called so too: give --target {index} for the class, or "
        f"--target {written} for the score"
    )


def _import_target(text: str, name: str) -> Any:
    """A function of the user's own; what may have been meant as a score is refused with the scores that there are."""
    from fgcompile.cli.sources import import_callable

    try:
        return import_callable(text)
    except SourceError as error:
        if "." in name and not name[0].isupper():
            raise
        raise InputError(f"--target {text} is no score ({', '.join(SCORES)}) and no function: {error}") from None


def parse_layouts(texts: Sequence[str]) -> dict[str, str]:
    """``NAME=LAYOUT`` for each."""
    layouts = {}
    for text in texts:
        name, separator, layout = text.partition("=")
        if not separator or not name or not layout.strip():
            raise InputError(f"--layout {text}: write NAME=LAYOUT, e.g. 'x=n h w c'")
        layouts[name] = layout.strip()
    return layouts


def parse_reading(window: str | None, background: str, page: int, max_pixels: int, fit: str | None = None) -> Reading:
    """How pictures are read: ``--window``, ``--background``, ``--page``, ``--max-pixels``, ``--fit``."""
    from PIL import ImageColor

    ends = None if window is None else parse_numbers("--window", window, "the values of black and white, LOW,HIGH")
    if ends is not None and len(ends) != 2:
        raise InputError(f"--window {window}: give the values of black and white, LOW,HIGH")
    try:
        color = ImageColor.getrgb(background)
    except ValueError:
        raise InputError(f"--background {background}: give a colour's name, as white, or '#rrggbb'") from None
    if len(color) != 3:
        raise InputError(f"--background {background}: give an opaque colour, as '#rrggbb'")
    return Reading(ends, color, page, max_pixels, fit)


def parse_numbers(option: str, text: str, wanted: str = "one number a channel, separated by commas") -> Any:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} {text}: give {wanted}") from None


def read_labels(path: Path) -> list[str]:
    """The names of a text file, one a line; what is empty at its end is no name.

    Raises:
        InputError: It cannot be read, or a line between names is empty.
    """
    require_files({"--labels": path})
    try:
        labels = read_regular(path).decode("utf-8-sig").rstrip().splitlines()  # as editors on Windows begin it
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InputError(f"--labels {path}: cannot be read ({why}): give a text file, a name a line") from error
    if not labels:
        raise InputError(f"--labels {path}: the file is empty: give a name a line, for each class")
    for number, label in enumerate(labels, 1):
        if not label.strip():
            raise InputError(f"line {number} of {path} is empty: give a name a line, for each class")
    return labels


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
