"""Concerto Follower: where is the live pianist in the orchestra recording?

The names here are the whole public interface; importing them loads no audio device, network or plotting library.
"""
