"""Computational graphs as pictures: data goes forward along solid arrows, errors back along dashed ones.

Whatever draws only looks: graphs, networks and traces do not know of it.
"""
