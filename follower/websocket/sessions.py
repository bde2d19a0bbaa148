"""What a server asks of its sessions, and the one session of `follower live`."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from follower.piece.piece import Piece
from follower.protocol.codec import RefusedError
from follower.websocket.broadcast import Broadcast
from follower.websocket.source import WebSocketSource


@dataclass(frozen=True)
class AudioSession:
    """One client's piano.

    Attributes:
        broadcast: what comes out.
        source: where the client's frames go; stopping it ends the session.
    """

    broadcast: Broadcast
    source: WebSocketSource


class Sessions(Protocol):
    """What the server asks of its sessions, on its loop."""

    def cache_names(self) -> list[str]:
        """Caches a client can choose from."""
        ...

    def names(self) -> list[str]:
        """Sessions that can be watched."""
        ...

    def broadcast(self, name: str) -> Broadcast | None:
        """What comes out of a session, or None."""
        ...

    def default_broadcast(self) -> Broadcast | None:
        """The session every client watches from the start, or None."""
        ...

    def status(self, path: str) -> tuple[HTTPStatus, bytes, str] | None:
        """A page for machines: status, content and its type; None where there is none of that path."""
        ...

    async def open(
        self, cache: str | None, method: str | None, start_s: float | None, source: WebSocketSource
    ) -> AudioSession:
        """Open an audio session.

        Raises:
            RefusedError: it cannot be opened.
        """
        ...

    async def piece(self, name: str) -> Piece:
        """Load a piece that clients can choose.

        Raises:
            RefusedError: no such piece, or it is damaged.
        """
        ...

    def leave(self, audio: AudioSession) -> None:
        """The connection of an audio session broke: keep it for a while."""
        ...

    def resume(self, name: str, sample_rate_hz: int, sample_format: str, channels: int) -> AudioSession:
        """Give a session whose connection broke to the client that has come back.

        Raises:
            RefusedError: there is none of that name, or its audio was another one.
        """
        ...

    def close(self) -> None:
        """End all sessions."""
        ...


class SingleSession:
    """The one session of `follower live` and `follower replay`: it has its own audio, clients only listen and control.

    Args:
        broadcast: of that session.
    """

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast

    def cache_names(self) -> list[str]:
        """No choice."""
        return []

    def names(self) -> list[str]:
        """The one."""
        return [self._broadcast.name]

    def broadcast(self, name: str) -> Broadcast | None:
        """The one, by its name."""
        return self._broadcast if name == self._broadcast.name else None

    def default_broadcast(self) -> Broadcast | None:
        """The one."""
        return self._broadcast

    def status(self, path: str) -> tuple[HTTPStatus, bytes, str] | None:
        """None: whoever runs the session sees how it is."""
        return None

    async def open(
        self, cache: str | None, method: str | None, start_s: float | None, source: WebSocketSource
    ) -> AudioSession:
        """Refuse: the audio comes from elsewhere."""
        raise RefusedError(
            "unexpected", "this server follows its own microphone or file and takes no audio; use follower serve"
        )

    async def piece(self, name: str) -> Piece:
        """The one that is followed, by its name."""
        sound = self._broadcast.sound
        if sound is None or sound.piece.name != name:
            raise RefusedError("unknown_cache", f"no piece {name[:60]!r} here")
        return sound.piece

    def leave(self, audio: AudioSession) -> None:
        """Nothing to keep: there are no audio sessions."""

    def resume(self, name: str, sample_rate_hz: int, sample_format: str, channels: int) -> AudioSession:
        """Refuse: there are no audio sessions."""
        raise RefusedError("unknown_session", f"no session {name[:60]!r} waits for its client")

    def close(self) -> None:
        """Nothing to end: the runner owns the session."""
