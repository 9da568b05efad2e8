"""Functions whose backward is the user's own (``torch.autograd.Function``), kept while a model is exported.

``torch.export`` would take their forward and drop their backward. Each call is recorded as one node (``record``), whose
forward and backward are traced (``trace``) and written into the graph in its place (``expand``).
"""
