"""The command; what it runs is in a module of its own, since the other processes import that by its name."""

from __future__ import annotations

import sys

from benchmarks.exactness.random_graphs.kinds.command import main

if __name__ == "__main__":
    sys.exit(main())
