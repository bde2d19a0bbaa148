"""Concerto Follower: where is the live pianist in the orchestra recording?

The names here are the public interface; importing them loads no audio device, network or plotting library.

Example:
    >>> import numpy as np
    >>> from follower import AudioBlock, Engine, load_cache
    >>> engine = Engine(load_cache("mypiece"), sample_rate_hz=44100)                 # doctest: +SKIP
    >>> for event in engine.process(AudioBlock(0, np.zeros(512, np.float32))):       # doctest: +SKIP
    ...     print(event)
"""

from follower.engine import Engine
from follower.errors import FollowerError
from follower.events import (
    AudioBlock,
    Event,
    Gap,
    Jump,
    Notice,
    Position,
    State,
    StateChange,
)
from follower.piece.cache import Cache, load_cache
from follower.piece.mix_map import MixMap
from follower.protocol.commands import Command, Pause, PlaybackPosition, Resume, Seek, Start, Stop

__all__ = [
    "AudioBlock",
    "Cache",
    "Command",
    "Engine",
    "Event",
    "FollowerError",
    "Gap",
    "Jump",
    "MixMap",
    "Notice",
    "Pause",
    "PlaybackPosition",
    "Position",
    "Resume",
    "Seek",
    "Start",
    "State",
    "StateChange",
    "Stop",
    "load_cache",
]
