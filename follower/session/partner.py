"""What stands beside the engine in a session: it practises with the pianist, the engine follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from follower.errors import InputError
from follower.events import AudioBlock, Event
from follower.protocol.codec import kind_of
from follower.protocol.commands import Command
from follower.protocol.practice_commands import PracticeCommand


class Partner(Protocol):
    """Carries out what a pianist asks for beside following. All calls come from the session's loop, in order."""

    def begin(self) -> list[Event]:
        """The session begins, or begins afresh: return what listeners should know."""
        ...

    def hear(self, block: AudioBlock, events: Sequence[Event]) -> tuple[list[Command], list[Event]]:
        """Take a block of the piano and what the engine said of it; return what the engine is asked for, and events."""
        ...

    def command(self, command: PracticeCommand) -> tuple[list[Command], list[Event]]:
        """Carry out a command; return what the engine is asked for, and events.

        Raises:
            FollowerError: it cannot be done; the message says why.
        """
        ...


class NoPartner:
    """A session in which nothing is practised."""

    def begin(self) -> list[Event]:
        """Nothing to say."""
        return []

    def hear(self, block: AudioBlock, events: Sequence[Event]) -> tuple[list[Command], list[Event]]:
        """Nothing to ask for."""
        return [], []

    def command(self, command: PracticeCommand) -> tuple[list[Command], list[Event]]:
        """Refuse.

        Raises:
            InputError: always.
        """
        raise InputError(f"{kind_of(type(command))} has no meaning here: nothing is practised in this session")
