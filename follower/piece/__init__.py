"""What prep made of a piece, typed, read and checked.

May import: errors, config, kernels.
"""
