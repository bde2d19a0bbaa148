"""From a posterior over the mix to positions in the orchestra recording, with state and confidence.

May import: errors, config, events, piece, inference.
"""
