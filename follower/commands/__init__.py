"""The subcommands of `follower`, one file each.

May import: every other room, offline_prep.
"""
