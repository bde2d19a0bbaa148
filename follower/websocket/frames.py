"""What is sent to a client, and who takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from follower.protocol.codec import encode
from follower.protocol.messages import Message, PositionMessage


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, encoded once for all listeners: text, or bytes of sound."""

    content: str | bytes
    is_position: bool

    @property
    def is_sound(self) -> bool:
        """Whether it is a block of sound."""
        return isinstance(self.content, bytes)

    @classmethod
    def of(cls, message: Message) -> Frame:
        """Encode a message."""
        return cls(encode(message), isinstance(message, PositionMessage))


class Listener(Protocol):
    """Takes frames on the server's loop; never waits."""

    def offer(self, frame: Frame) -> None:
        """Queue a frame for this listener."""
        ...
