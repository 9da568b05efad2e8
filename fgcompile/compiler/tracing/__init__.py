"""Stage 5: the method traced into one graph without autograd."""
