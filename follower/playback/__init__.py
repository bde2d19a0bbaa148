"""The orchestra, played so that it follows: stretcher, control, player, device.

May import: errors, events, protocol, kernels, piece, session, signal, audio, files.
"""
