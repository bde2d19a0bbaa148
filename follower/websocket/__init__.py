"""WebSocket and the monitor page: server, sessions, source, sink and client.

May import: errors, version, events, engine, inference, kernels, piece, protocol, session.
"""
