"""Do operators of ONNX files compute what ONNX Runtime does, in any form, and have the gradient of that?"""
