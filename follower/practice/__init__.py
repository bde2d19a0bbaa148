"""Practising with the orchestra: where to begin, loops, markers, tuning, recordings, and what a piece looks like.

May import: errors, events, piece, protocol, session, signal, kernels, files, playback.
"""
