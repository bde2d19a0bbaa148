"""The pieces of a folder: what there is, what comes in, and preparations in processes of their own.

May import: errors, version, files, piece, practice, protocol.
"""
