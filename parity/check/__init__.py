"""Somebody's own implementation, run at arm's length and recorded as observations."""
