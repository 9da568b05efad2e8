"""Do trained networks that packages ship as ONNX files compile, and predict what ONNX Runtime makes of the file?"""
