"""What becomes of a network that ONNX Runtime's own quantiser brought to 8 bits?"""
