"""Offline preparation: read the orchestra recording and the full mix once, write the cache the follower loads."""
