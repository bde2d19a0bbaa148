"""The map between the full mix and the orchestra recording.

May import: errors, config, kernels, piece, audio.
"""
