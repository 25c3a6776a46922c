"""The mathematics: the deck's formulas, written by hand in numpy, and the engine that runs them.

Imports numpy and the standard library only. Start with `reference.formulas`, beside the slides.
"""
