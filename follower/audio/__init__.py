"""Live audio from a device, through PortAudio.

May import: errors, events, session.
"""
