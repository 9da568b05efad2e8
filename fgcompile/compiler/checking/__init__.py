"""Stage 7: the fused graph and the emitted artifact against the eager model."""
