"""Stage 5: the full-gradient method, eager or traced: the same code."""
