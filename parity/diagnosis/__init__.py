"""Which mistake reproduces a wrong tensor: see `parity.diagnosis.blame`."""
