"""What campaigns and tests draw at random: networks, vocabulary, models, PyTorch's own samples."""
