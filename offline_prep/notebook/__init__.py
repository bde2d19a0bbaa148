"""The research notebook's offline system, as a baseline.

May import: errors, kernels, piece, files, audio.
"""
