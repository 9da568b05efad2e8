"""Stage 6: the fused graph with less to compute."""
