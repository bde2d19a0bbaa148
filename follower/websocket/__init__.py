"""WebSocket and the practice room's page: server, sessions, source, sink and client.

May import: errors, version, events, engine, files, inference, kernels, piece, playback, practice, library, protocol,
session, signal.
"""
