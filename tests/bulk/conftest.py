"""How Ray runs in the tests; it reads this when it is imported."""

from __future__ import annotations

import os

os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # on 127.0.0.1 alone; see ``fgcompile.bulk``
os.environ.setdefault("RAY_worker_niceness", "0")  # or a busy machine lets the workers wait
