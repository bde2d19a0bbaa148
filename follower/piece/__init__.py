"""What prep made of a piece, typed, read, checked and written.

May import: errors, config, kernels.
"""
