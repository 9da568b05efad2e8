"""What an explanation costs beside the prediction alone: an artifact against the forward pass within it."""

from fgcompile.bench.report import Bench
from fgcompile.bench.run import bench

__all__ = ["Bench", "bench"]
