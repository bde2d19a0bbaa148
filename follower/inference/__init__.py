"""Where in the full mix the piano is: one file per method, behind the protocol of `base`.

May import: errors, config, kernels, signal, piece.
"""
