"""Small, quick, and all of it: what mutation testing runs. PyTorch is the oracle, in float64."""
