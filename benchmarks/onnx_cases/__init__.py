"""Does an operator of an ONNX file compute what the ONNX project's own cases say?"""
