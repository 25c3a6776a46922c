"""Mutation testing of `reference/`: see `python -m tests.reports.mutation --help`."""
