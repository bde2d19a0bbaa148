"""A small concerto of our own, synthesised, and the plot of how it was followed.

May import: errors, events, engine, piece, session, evaluation, files, offline_prep.
"""
