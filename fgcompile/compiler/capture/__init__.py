"""Stage 1: a model becomes a flat graph of ATen operators with a dynamic batch."""
