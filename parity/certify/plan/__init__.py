"""Compiled certificates: both gates of a step as a straight line of numpy calls on kept buffers.

The equations of an architecture, a batch size and a format do not change between steps, so neither does
what the rules of the bounded arithmetic do with them. A plan is recorded once, by running the rules on
numbers that record, and replayed at every step. It can only ACCEPT a whole step; any step that it does
not accept is judged by the plain path (`certificate`, `cross_check`), which is the definition.
"""

from parity.certify.plan.plans import Plans

__all__ = ["Plans"]
