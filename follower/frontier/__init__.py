"""Frontiers: each finds the place in the full mix, behind the protocol of `base`."""
