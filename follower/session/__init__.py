"""One performance: the loop, its ports (source, sink, controls) and the plug-ins behind them.

May import: errors, version, events, engine, protocol.
"""
