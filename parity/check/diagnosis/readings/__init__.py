"""Reads a mistake off the numbers: see `parity.check.diagnosis.readings.search`."""
