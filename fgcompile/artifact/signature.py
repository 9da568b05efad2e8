"""What a program takes and returns, in order, as one digest, which the program carries beside its metadata.

TorchScript and ``.pt2`` take and return tensors by position: whoever edits their metadata would give them other names.
The digest stands in the metadata and in the program, and both are compared; it detects accidents, as the seal does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fgcompile.artifact.names import METADATA_KEY

SIGNATURE = "signature"
"""The field of the metadata."""

PROGRAM_SIGNATURE = f"{METADATA_KEY}_signature"
"""What programs call theirs: a name that no layer has."""

_SIGNED = ("inputs", "outputs", "sites", "target", "on_demand", "score_inputs")
_SIGNED_WHERE_GIVEN = ("batch", "targets", "target_axes")
"""Fields of later versions: artifacts without them keep the signature that they were made with."""


def sign(metadata: Mapping[str, Any]) -> str:
    """``sha256:…`` over the metadata's inputs, outputs, sites and target."""
    signed = {key: metadata.get(key) for key in _SIGNED}
    signed |= {key: metadata[key] for key in _SIGNED_WHERE_GIVEN if key in metadata}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
