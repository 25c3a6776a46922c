"""From PyTorch to the deck: an existing layered torch model, mirrored by the reference and certified.

`mirror` finds the layers of a model by watching one forward pass, `MirroredTwin` is that very model as
a side of the lockstep. What the deck has no formula for is named, with the module's path.
"""
