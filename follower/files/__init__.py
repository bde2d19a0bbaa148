"""Files: a recording as a source, positions and alignments as sinks.

May import: errors, version, events, piece, protocol, session.
"""
