"""What becomes of a run whose Ray does not start."""

from __future__ import annotations

import pytest

pytest.importorskip("pyarrow", reason="needs Ray: pip install 'fgcompile[ray]'")
pytest.importorskip("ray", reason="needs Ray: pip install 'fgcompile[ray]'")

from fgcompile.bulk import cluster
from fgcompile.bulk.options import Workers
from fgcompile.errors import FgcompileError
from tests.support.tiny_artifacts import tiny_metadata


def test_a_machine_too_busy_for_ray_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Exception("The current node timed out during startup.\nMore of it.")

    monkeypatch.setattr(cluster.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(cluster.ray, "init", refuse)
    raises = pytest.raises(FgcompileError, match=r"^Ray did not start \(The current node timed out[^\n]*$")
    with raises, cluster.connect(Workers(), tiny_metadata()):  # type: ignore[arg-type]
        pass
