"""The orchestra, played so that it follows: stretcher, control, player, device.

May import: errors, events, kernels, piece, session, audio.
"""
