"""What a key of a recipe may be: the kind of TOML's values that the option of its name takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fgcompile.errors import InputError

JOINED = {"mean": ",", "std": ",", "scale": ",", "outputs": ",", "resize": "x"}
"""Options that are one text of several parts, a channel's number each say: a list in a recipe, joined by these."""

_KINDS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "batch": ("a whole number", (int,)),
    **dict.fromkeys(("mean", "std", "scale"), ("a text or a number", (str, int, float))),
    **dict.fromkeys(("resize", "input", "target", "targets", "explained"), ("a text or a whole number", (str, int))),
}
"""Options that are, or may be, numbers there; others are texts."""

_OF_THE_COMMAND = ("recipe", "force", "json", "quiet", "verbose", "help")


def require_kinds(options: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Refuses values of another kind than the options take; unknown options are the parser's to tell.

    Args:
        options: Of a recipe.
        known: The command's own by the names that recipes have for them, ``dynamic-sizes``.

    Raises:
        InputError: Names the first that is wrong, and what it may be.
    """
    for key, value in options.items():
        name = key.replace("_", "-")
        if name in _OF_THE_COMMAND:
            raise InputError(f"{key} is an option of the command, not of a recipe: leave it out")
        option = known.get(name)
        if option is None and name not in ("source", "output"):
            continue
        if getattr(option, "is_flag", False):
            if not isinstance(value, bool):
                raise InputError(f"{key} is {_written(value)}: give true or false")
            continue
        _require(key, value, name, option)


def _require(key: str, value: Any, name: str, option: Any) -> None:
    several = name in JOINED or getattr(option, "multiple", False)
    if isinstance(value, list) and not several:
        raise InputError(f"{key} is {_written(value)}: give one value, not a list")
    parts = value if isinstance(value, list) else [value]
    wanted, kinds = _KINDS.get(name, ("a text", (str,)))
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, kinds):
            raise InputError(f"{key} is {_written(value)}: give {wanted}{', or a list of them' if several else ''}")


def _written(value: Any) -> str:
    """A value about as TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return repr(value) if isinstance(value, str | int | float) else str(value)
