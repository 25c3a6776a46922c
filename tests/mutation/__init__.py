"""Mutation testing of `reference/`: see `python -m tests.mutation --help`."""
