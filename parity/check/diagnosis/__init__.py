"""Which mistake reproduces a wrong tensor: see `parity.check.diagnosis.search`."""
