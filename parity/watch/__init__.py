"""Any PyTorch model, watched in its own training: every operation that ran, certified on its own numbers.

`Checks` holds the recorded calls of a step to the table of operations, `Tally` counts, `Watching` does
both while the training runs.
"""
