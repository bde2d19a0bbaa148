"""OSC over UDP: positions out, commands in.

May import: errors, events, protocol, session.
"""
