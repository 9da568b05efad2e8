"""What is kept of a tokenizer, and what is no tokenizer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fgcompile.errors import InputError, MissingPackageError
from fgcompile.text.tokenizer import Kept, keep_tokenizer, open_tokenizer, pad_of
from tests.support.texts import byte_level, wordpiece

LONG = "the film was dull, not a joy."


def test_nothing_is_cut_off_nor_added() -> None:
    given = wordpiece()
    assert len(given.encode(LONG).ids) < 7  # it truncates
    kept = keep_tokenizer(given)
    assert len(open_tokenizer(kept.text).encode(LONG).ids) == 12
    assert len(open_tokenizer(kept.text).encode("a").ids) == 3
    assert len(given.encode(LONG).ids) < 7  # and is left as it was


def test_a_file_a_folder_and_what_is_said_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    byte_level().save(str(path))
    assert keep_tokenizer(str(path)) == keep_tokenizer(tmp_path) == keep_tokenizer(byte_level())
    assert pad_of(keep_tokenizer(path).text) is None
    settings = {"pad_token": {"content": "Ġdull"}, "model_max_length": 64}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    kept = keep_tokenizer(tmp_path)
    assert (pad_of(kept.text), kept.longest) == ((byte_level().token_to_id("Ġdull"), 0), 64)
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": null, "model_max_length": 1e30}')
    assert keep_tokenizer(tmp_path).longest is None


def test_one_of_transformers_says_what_it_pads_with_and_how_long_texts_may_be() -> None:
    backend = byte_level()
    given = SimpleNamespace(backend_tokenizer=backend, pad_token="Ġ", model_max_length=1024)
    assert keep_tokenizer(given).longest == 1024
    assert pad_of(keep_tokenizer(given).text) == (backend.token_to_id("Ġ"), 0)
    assert keep_tokenizer(wordpiece()) == Kept(keep_tokenizer(wordpiece()).text, None)


@pytest.mark.parametrize(
    ("content", "message"), [(b"{}", "no tokenizer"), (b"\xff", "cannot be read"), (b'{"model": [', "no tokenizer")]
)
def test_what_is_no_tokenizer_is_refused_in_a_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        keep_tokenizer(path)
    assert "\n" not in str(raised.value)


def test_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="tokenizer is int"):
        keep_tokenizer(3)
    with pytest.raises(InputError, match="cannot be read as a tokenizer"):
        keep_tokenizer(tmp_path)
    monkeypatch.setattr("fgcompile.text.tokenizer.LONGEST_TOKENIZER", 100)
    wordpiece().save(str(tmp_path / "tokenizer.json"))
    for given in (tmp_path, wordpiece()):
        with pytest.raises(InputError, match="larger than 100 bytes"):
            keep_tokenizer(given)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingPackageError, match=r"fgcompile\[text\]"):
        open_tokenizer("{}")
