"""The one vocabulary: every message out, every command in, their bounds, their JSON and OSC forms, and addresses.

May import: errors, version, events.
"""
