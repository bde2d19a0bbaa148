"""Concerto Follower: where is the live pianist in the orchestra recording?

The names here are the public interface. Each is loaded when it is first used, so that `import follower` costs nothing
and a listener that only reads positions never loads the engine.

Example:
    >>> import numpy as np
    >>> from follower import AudioBlock, Engine, load_piece
    >>> engine = Engine(load_piece("mypiece"), sample_rate_hz=44100)                 # doctest: +SKIP
    >>> for event in engine.process(AudioBlock(0, np.zeros(512, np.float32))):       # doctest: +SKIP
    ...     print(event)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from follower.engine import Engine
    from follower.errors import FollowerError
    from follower.events import AudioBlock, Elsewhere, Event, Gap, Jump, Notice, Position, State, StateChange
    from follower.piece.mix_map import MixMap
    from follower.piece.piece import Piece
    from follower.piece.reading import load_piece
    from follower.protocol.commands import Command, Pause, PlaybackPosition, Resume, Seek, Start, Stop

__all__ = [
    "AudioBlock",
    "Command",
    "Elsewhere",
    "Engine",
    "Event",
    "FollowerError",
    "Gap",
    "Jump",
    "MixMap",
    "Notice",
    "Pause",
    "Piece",
    "PlaybackPosition",
    "Position",
    "Resume",
    "Seek",
    "Start",
    "State",
    "StateChange",
    "Stop",
    "load_piece",
]

_HOME = {
    **dict.fromkeys(
        ("Command", "Pause", "PlaybackPosition", "Resume", "Seek", "Start", "Stop"), "follower.protocol.commands"
    ),
    "Engine": "follower.engine",
    "FollowerError": "follower.errors",
    "MixMap": "follower.piece.mix_map",
    "Piece": "follower.piece.piece",
    "load_piece": "follower.piece.reading",
}
"""Where the names come from; those not listed here come from `follower.events`."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOME.get(name, "follower.events")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
