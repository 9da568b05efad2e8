"""Scripts that make what follows from the code."""
