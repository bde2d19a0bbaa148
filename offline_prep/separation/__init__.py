"""The full mix taken apart into piano and orchestra, with or without the orchestra's own recording as a guide.

May import: errors, config, piece, files, audio, progress.
"""
