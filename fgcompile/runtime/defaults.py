"""Inputs of a ``.pt2`` that may be left out: it takes them all, and keeps their values beside it."""

from __future__ import annotations

import base64
import json

import numpy as np

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import DEFAULTS_FILE
from fgcompile.artifact.validation import Array, bias_specs
from fgcompile.artifact.zip_container import read_extra_file


def read_defaults(content: bytes, metadata: Metadata) -> dict[str, Array]:
    """The trained values of the bias parameters that may be left out."""
    specs = bias_specs(metadata)
    if not specs:
        return {}
    stored = json.loads(read_extra_file(content, DEFAULTS_FILE))
    shapes = {spec["name"]: [int(size) for size in spec["shape"]] for spec in specs}
    return {
        spec["name"]: np.frombuffer(base64.b64decode(stored[spec["name"]]), spec["dtype"]).reshape(shapes[spec["name"]])
        for spec in specs
    }
