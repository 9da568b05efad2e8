"""How that cost grows with batch, image size and depth, and that of compiling with the model."""
