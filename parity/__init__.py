"""Is this gradient right? The deck's backpropagation and PyTorch's, held against each other.

Every side, ours, PyTorch's or a student's, becomes the same `reference.trace.Trace`; everything
after that (certificates, diagnosis, reports, golden files) only ever sees traces.
"""

__version__ = "0.1.0"
