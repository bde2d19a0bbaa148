"""Files: a recording as a source, positions and alignments as sinks.

May import: errors, events, piece, protocol, session.
"""
