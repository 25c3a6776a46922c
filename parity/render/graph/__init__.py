"""Draws computational graphs: solid arrows carry data forward, dashed arrows carry errors back.

Graphs, networks and traces do not depend on this package.
"""
