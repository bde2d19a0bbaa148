"""The border of the command line: what several commands let people write, and the frozen options it becomes.

Loaded to answer `--help` or a mistake, so nothing here may load more than parsing needs.
May import: errors, protocol, inference, playback.
"""
