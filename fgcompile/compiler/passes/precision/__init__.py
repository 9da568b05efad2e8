"""Stage 8: in which numbers a graph computes."""
