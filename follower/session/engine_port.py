"""What the loop asks of an engine: `follower.engine.Engine` here, or one in another process."""

from __future__ import annotations

from typing import Any, Protocol

from follower.events import AudioBlock, Event
from follower.protocol.commands import Command


class EnginePort(Protocol):
    """Audio block in, list of events out; see `follower.engine.Engine`.

    Attributes:
        piece: what is followed: a `follower.piece.piece.Piece`, or what has its lengths and its name.
        method: name of the frontier.
        sample_rate_hz: of the stream.
    """

    piece: Any
    method: str
    sample_rate_hz: int

    def process(self, block: AudioBlock) -> list[Event]:
        """Take the next block.

        Raises:
            InputError: it cannot be taken; nothing has changed.
        """
        ...

    def command(self, command: Command) -> list[Event]:
        """Carry out a command.

        Raises:
            InputError: it cannot be carried out.
        """
        ...

    def finish(self) -> list[Event]:
        """End of the stream."""
        ...
