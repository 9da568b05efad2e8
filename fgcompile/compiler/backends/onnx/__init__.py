"""Stage 9: ONNX, and the passes that only its files need."""
