"""Ray listens on 127.0.0.1 alone if it finds this when it is imported; see ``fgcompile.bulk``."""

from __future__ import annotations

import os

os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
