"""Compiles any PyTorch model into one graph that returns its prediction and its exact FullGrad explanation."""
