"""Stage 9: TorchScript."""
