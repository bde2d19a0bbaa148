"""The one vocabulary: every message out, every command in, and their addresses.

May import: errors, version, events.
"""
