"""A client's requests about a piece and the orchestra's sound, carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from follower.errors import FollowerError
from follower.piece.piece import Piece
from follower.practice.companion import TAKES, companion_of
from follower.practice.overview import overview_of, takes_of
from follower.protocol.codec import RefusedError
from follower.protocol.messages import Message
from follower.protocol.room_messages import FetchedMessage
from follower.protocol.room_requests import AskOverview, Fetch, Heard, Listen, PieceRequest, SoundRequest, Unlisten
from follower.websocket.broadcast import Broadcast
from follower.websocket.frames import Listener
from follower.websocket.sessions import Sessions

PART_BYTES = 1 << 16


class PieceRequests:
    """Those of one connection.

    Args:
        sessions: where pieces are loaded.
        listener: the connection.
        send: queues a message for the client.
        send_bytes: sends a binary frame and waits until the client takes it.
    """

    def __init__(
        self,
        sessions: Sessions,
        listener: Listener,
        send: Callable[[Message], None],
        send_bytes: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self._sessions = sessions
        self._listener = listener
        self._send = send
        self._send_bytes = send_bytes
        self._watched: Broadcast | None = None

    def watch(self, broadcast: Broadcast | None) -> None:
        """Requests are about this session from now on."""
        if broadcast is not self._watched:
            self.close()
        self._watched = broadcast

    def close(self) -> None:
        """The client goes, or watches another session: its sound ends."""
        if self._watched is not None and self._watched.sound is not None:
            self._watched.sound.stop(self._listener, "another session is watched")

    async def handle(self, request: SoundRequest | PieceRequest) -> None:
        """Carry out a request.

        Raises:
            RefusedError: it cannot be carried out; the message says why.
        """
        match request:
            case Listen(sample_rate_hz=rate_hz):
                await self._listen(rate_hz)
            case Heard():
                if self._watched is not None and self._watched.sound is not None:
                    self._watched.sound.heard(self._listener, request)
            case Unlisten():
                if self._watched is not None and self._watched.sound is not None:
                    self._watched.sound.stop(self._listener, "as asked for")
            case AskOverview(piece=name):
                piece = await self._piece(name)
                self._send(await asyncio.to_thread(overview_of, piece))
            case Fetch(take=take, piece=name):
                await self._fetch(await self._piece(name), take)

    async def _listen(self, rate_hz: int) -> None:
        if self._watched is None or self._watched.sound is None:
            raise RefusedError("unexpected", "there is no orchestra to be heard here; open a session first")
        try:
            await self._watched.sound.listen(rate_hz, self._listener)
        except FollowerError as e:
            raise RefusedError("failed", _without_folder(str(e), self._watched.sound.piece)) from e

    async def _piece(self, name: str | None) -> Piece:
        if name is None:
            if self._watched is None or self._watched.sound is None:
                raise RefusedError("unexpected", "no session is watched; say which piece is meant")
            return self._watched.sound.piece
        return await self._sessions.piece(name)

    async def _fetch(self, piece: Piece, take: str) -> None:
        folder = companion_of(piece.path)
        if take not in {t.name for t in await asyncio.to_thread(takes_of, folder)}:
            raise RefusedError("unknown_file", f"no recording {take[:60]!r} of this piece")
        path = folder / TAKES / take
        sent = 0
        with await asyncio.to_thread(path.open, "rb") as file:
            while part := await asyncio.to_thread(file.read, PART_BYTES):
                await self._send_bytes(part)
                sent += len(part)
        self._send(FetchedMessage(take, sent))


def _without_folder(text: str, piece: Piece) -> str:
    """What a client learns holds no path of the server's."""
    text = text.replace(str(Path(piece.orchestra_file.path)), Path(piece.orchestra_file.path).name)
    return text.replace(f"{companion_of(piece.path)}/", "")
