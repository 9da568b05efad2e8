"""Stage 3: every bias term becomes an explicit input."""
