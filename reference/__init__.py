"""The mathematics: the deck's formulas, written by hand in numpy, and a network that runs on them.

Nothing in here imports torch or `parity`; a reader with the slides in one hand needs nothing else.
"""
