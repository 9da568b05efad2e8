"""What a bulk run knows of Ray that Ray does not promise: variables of its environment, its files, and its texts."""

from __future__ import annotations

import re

LOOPBACK = ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
"""A Ray that is not to be a cluster listens on 127.0.0.1 alone, as it does on Windows and macOS. It reads this when it
is imported; its ``_node_ip_address`` does not do: Ray puts the machine's own address in place of 127.0.0.1."""

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
"""Ray sends nothing to its makers, and keeps notes on its own actors to itself."""

WORKERS_AT_ONCE = "RAY_worker_maximum_startup_concurrency"
"""How many workers Ray expects to start side by side: it warns of others."""

PENDING = ".pending.parquet"
"""How the name of a checkpoint ends as long as its file of results is not written."""


def failure_of_worker(text: str) -> str:
    """The line of a worker's traceback that says most: that of our own error, or the innermost error's.

    Ray Data raises an error that holds this traceback as its text, and not what its actor raised.
    """
    own = re.search(r"^fgcompile\.errors\.\w+: (.*)$", text, re.MULTILINE)
    innermost = re.search(r"^([\w.]+(?:Error|Exception)\b.*)$", text, re.MULTILINE)
    found = own or innermost
    return found[1] if found else text
