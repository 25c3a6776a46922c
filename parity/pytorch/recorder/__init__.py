"""Real eager execution of any PyTorch training, recorded as numpy data and left bit for bit as it is.

`data` is what a recording consists of and needs no torch; `recorder.Recorder` makes one.
"""
