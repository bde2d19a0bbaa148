"""Error and latency on annotated scenarios.

May import: errors, version, config, events, engine, kernels, signal, piece, inference, tracking, protocol, session,
files, osc, websocket, playback, terminal, cluster, offline_prep.
"""
