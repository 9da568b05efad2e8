"""A text model's tokenizer as an artifact keeps it: the JSON of the library ``tokenizers``, which is data.

It keeps no truncation, which would leave out the end of a text without a word, and padding by the tokenizer's own
token.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fgcompile.artifact.regular import read_regular
from fgcompile.artifact.schema import LONGEST_TOKENIZER
from fgcompile.errors import InputError, MissingPackageError, first_line

FILE = "tokenizer.json"
"""What a tokenizer's file is called in the folder of a model."""

_SETTINGS = "tokenizer_config.json"
_MOST = 10**9
"""Tokens of a text; where a model has no limit, its tokenizer says far more."""


@dataclass(frozen=True)
class Kept:
    """What an artifact keeps of a tokenizer.

    Attributes:
        text: Its JSON.
        longest: The most tokens of a text, special ones included; None where nothing says so.
    """

    text: str
    longest: int | None = None


def keep_tokenizer(source: object) -> Kept:
    """What is kept of a tokenizer.

    Args:
        source: The path of a ``tokenizer.json``, or of a folder with one, whose ``tokenizer_config.json`` is read too;
            a ``tokenizers.Tokenizer``; or one of Transformers that is built on such.

    Raises:
        InputError: It is none of these, cannot be read, or is too large.
        MissingPackageError: ``tokenizers`` is not installed.
    """
    if isinstance(source, str | Path):
        return _of_file(Path(source))
    backend = getattr(source, "backend_tokenizer", source)
    if not hasattr(backend, "to_str") or not hasattr(backend, "token_to_id"):
        raise InputError(
            f"tokenizer is {type(source).__name__}: pass the path of a {FILE}, a tokenizers.Tokenizer, or a fast "
            "tokenizer of Transformers"
        )
    longest = getattr(source, "model_max_length", None)
    return _kept(backend.to_str(), "tokenizer", getattr(source, "pad_token", None), longest)


def _of_file(path: Path) -> Kept:
    path = path / FILE if path.is_dir() else path
    settings = path.with_name(_SETTINGS)
    text = _read(path)
    said: dict[str, Any] = {}
    if settings.is_file():
        try:
            said = dict(json.loads(_read(settings)))
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(f"{settings}: is no JSON of settings ({first_line(error)}): mend or remove it") from error
    pad = said.get("pad_token")
    return _kept(text, str(path), pad.get("content") if isinstance(pad, dict) else pad, said.get("model_max_length"))


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LONGEST_TOKENIZER:
            raise InputError(f"{path}: is larger than {LONGEST_TOKENIZER} bytes, more than an artifact keeps")
        return read_regular(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", None)
        raise InputError(f"{path}: cannot be read as a tokenizer ({reason}): give the path of a {FILE}") from error


def _kept(text: str, where: str, pad: object, longest: object) -> Kept:
    tokenizer = parse_tokenizer(text, where)
    tokenizer.no_truncation()
    padding: dict[str, Any] = tokenizer.padding or {}
    token = pad if isinstance(pad, str) and not padding else padding.get("pad_token")
    number = padding.get("pad_id", None if token is None else tokenizer.token_to_id(token))
    if token is not None and number is not None:
        tokenizer.enable_padding(pad_id=number, pad_type_id=padding.get("pad_type_id", 0), pad_token=token)
    made = tokenizer.to_str()
    if len(made.encode()) > LONGEST_TOKENIZER:
        raise InputError(f"{where} is larger than {LONGEST_TOKENIZER} bytes, more than an artifact keeps")
    known = isinstance(longest, int) and not isinstance(longest, bool) and 0 < longest < _MOST
    return Kept(made, int(longest) if known else None)  # type: ignore[call-overload]


def parse_tokenizer(text: str, where: str) -> Any:
    """The tokenizer of a JSON text.

    Raises:
        InputError: It is none.
        MissingPackageError: ``tokenizers`` is not installed.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingPackageError("texts need tokenizers: pip install 'fgcompile[text]'") from error
    try:
        return Tokenizer.from_str(text)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # where the library panics it raises what is no ``Exception``
        raise InputError(f"{where} is no tokenizer that tokenizers reads ({first_line(error)[:300]})") from error


@lru_cache(maxsize=4)
def open_tokenizer(text: str) -> Any:
    """The tokenizer that an artifact keeps, once for all calls; it pads and truncates nothing.

    Raises:
        InputError: It is none.
        MissingPackageError: ``tokenizers`` is not installed.
    """
    tokenizer = parse_tokenizer(text, "the artifact's tokenizer")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@lru_cache(maxsize=4)
def unknown_of(text: str) -> int | None:
    """The id of the token that a tokenizer has for what is not in its vocabulary; None where it has none."""
    model = json.loads(text)["model"]
    number = model.get("unk_id")
    if number is None and isinstance(model["vocab"], dict):
        number = model["vocab"].get(model.get("unk_token"))
    return None if number is None else int(number)


@lru_cache(maxsize=4)
def pad_of(text: str) -> tuple[int, int] | None:
    """The ids of the token, and of its segment, that a tokenizer pads with; None where it has none."""
    padding = json.loads(text).get("padding")
    return None if padding is None else (int(padding["pad_id"]), int(padding.get("pad_type_id", 0)))
