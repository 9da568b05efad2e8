"""Recipes: the artifacts of a project in a TOML, each the options of ``fgcompile compile`` by their names.

``[tool.fgcompile.NAME]`` of ``pyproject.toml``, or ``[NAME]`` of ``fgcompile.toml``; what stands in front of the
tables, in ``[tool.fgcompile]`` itself, holds for all of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fgcompile.cli.recipe_kinds import JOINED
from fgcompile.errors import InputError

FILES = ("fgcompile.toml", "pyproject.toml")
"""Where recipes stand; the first that is there and has some."""


@dataclass(frozen=True)
class Recipe:
    """One artifact.

    Attributes:
        name: Of its table.
        options: As they stand there, with those that hold for all.
    """

    name: str
    options: Mapping[str, Any]

    def arguments(self) -> list[str]:
        """The same as they are typed.

        Raises:
            InputError: An option is neither a text, a number, true, false, nor a list of those.
        """
        options = dict(self.options)
        typed = [str(options.pop("source"))] if "source" in options else []
        for key, value in options.items():
            flag = f"--{key.replace('_', '-')}"
            if isinstance(value, bool):
                typed += [flag] if value else _OPPOSITE.get(flag, [])
                continue
            for each in _values(value, key):
                typed += [f"{flag}={self._text(key, each)}"]
        return typed

    def _text(self, key: str, value: object) -> str:
        if isinstance(value, list | Mapping) or not isinstance(value, str | int | float):
            raise InputError(f"{key} is {value!r}: give a text or number, or a list of them")
        return str(value)


def find_recipes(folder: Path) -> tuple[Path, list[Recipe]]:
    """The file in a folder that has recipes, and these.

    Raises:
        InputError: None has, or it cannot be read.
    """
    for file in (folder / name for name in FILES):
        if file.is_file():
            tables = _read(file)
            if recipes := _recipes(tables):
                return file, recipes
    raise InputError(
        "SOURCE and -o are missing, and no fgcompile.toml or pyproject.toml here has recipes: fgcompile compile "
        "torchvision:resnet18 -o resnet18.onnx, or a table [tool.fgcompile.NAME] with source and output"
    )


def _read(file: Path) -> Mapping[str, Any]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", None) or error
        raise InputError(f"{file.name} cannot be read as TOML ({why}): mend it") from error
    own: Any = content.get("tool", {}).get("fgcompile", {} if file.name == "pyproject.toml" else content)
    return own if isinstance(own, Mapping) else {}


def _recipes(tables: Mapping[str, Any]) -> list[Recipe]:
    common = {key: value for key, value in tables.items() if not isinstance(value, Mapping)}
    return [Recipe(name, {**common, **options}) for name, options in tables.items() if isinstance(options, Mapping)]


_OPPOSITE = {"--dynamic-sizes": ["--fixed-sizes"]}
"""Options whose absence is not the same as false."""


def _values(value: object, key: str) -> list[Any]:
    if not isinstance(value, list):
        return [value]
    return [JOINED[key].join(map(str, value))] if key in JOINED else value
