"""The commands, one file each. Importing them imports neither numpy nor torch."""
