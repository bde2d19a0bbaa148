"""A client's requests to the library, carried out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

from follower.errors import FollowerError, InputError, OutputError
from follower.library.incoming import Incoming
from follower.library.library import Library
from follower.protocol.codec import RefusedError
from follower.protocol.messages import Message
from follower.protocol.room_messages import UploadedMessage
from follower.protocol.room_requests import AskLibrary, Cancel, Delete, LibraryRequest, Prepare, Rename, Upload

T = TypeVar("T")
MAX_UPLOADS = 8
"""Recordings that one client may bring before it prepares something with them."""


class LibraryRequests:
    """Those of one connection.

    Args:
        library: None where there is none: everything is refused.
        send: queues a message for the client.
    """

    def __init__(self, library: Library | None, send: Callable[[Message], None]) -> None:
        self._library = library
        self._send = send
        self._incoming: Incoming | None = None
        self._brought: list[str] = []
        self._listening: Callable[[], None] | None = None
        self._stale = asyncio.Event()
        self._teller: asyncio.Task[None] | None = None

    @property
    def receiving(self) -> bool:
        """Whether binary frames are a recording's bytes."""
        return self._incoming is not None

    async def handle(self, request: LibraryRequest) -> None:
        """Carry out a request.

        Raises:
            RefusedError: it cannot be carried out; the message says why.
        """
        library = self._library
        if library is None:
            raise RefusedError("unexpected", "this server has one piece and no library; use follower serve")
        match request:
            case AskLibrary():
                self._listen(library)
            case Upload(file=file, size_bytes=size_bytes):
                if self._incoming is not None:
                    raise RefusedError("unexpected", "a recording is coming already; send it to its end first")
                if len(self._brought) >= MAX_UPLOADS:
                    raise RefusedError("too_many", f"{MAX_UPLOADS} recordings wait already; prepare a piece with them")
                self._incoming = await self._off_loop(lambda: library.receive(file, size_bytes))
            case Prepare():
                await self._off_loop(
                    lambda: library.prepare(request.piece, request.orchestra, request.mix, request.mix_orchestra)
                )
                self._brought = [
                    f for f in self._brought if f not in (request.orchestra, request.mix, request.mix_orchestra)
                ]
            case Cancel(piece=piece):
                await self._off_loop(lambda: library.cancel(piece))
            case Rename(piece=piece, to=to):
                await self._off_loop(lambda: library.rename(piece, to))
            case Delete(piece=piece):
                await self._off_loop(lambda: library.delete(piece))

    async def receive(self, data: bytes) -> None:
        """Take the next bytes of a recording; look at it when all have come.

        Raises:
            RefusedError: they cannot be stored, or are no recording.
        """
        incoming, library = self._incoming, self._library
        assert incoming is not None and library is not None
        try:
            await self._off_loop(lambda: incoming.write(data))
            if incoming.missing_bytes > 0:
                return
            self._incoming = None
            length_s = await self._off_loop(incoming.finish)
        except RefusedError:
            self._incoming = None
            await asyncio.to_thread(incoming.remove)
            raise
        name = library.received(incoming)
        self._brought.append(name)
        self._send(UploadedMessage(name, length_s))

    async def close(self) -> None:
        """The client goes: what it brought and did not use is removed."""
        library = self._library
        if library is None:
            return
        if self._listening is not None:
            library.remove_listener(self._listening)
        if self._teller is not None:
            self._teller.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._teller
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            await asyncio.to_thread(incoming.remove)
        for name in self._brought:
            await asyncio.to_thread(library.forget_upload, name)

    async def _off_loop(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except RefusedError:
            raise
        except OutputError as e:
            raise RefusedError("disk_full" if "room" in str(e) else "failed", str(e)) from e
        except InputError as e:
            raise RefusedError("invalid", str(e)) from e
        except FollowerError as e:
            raise RefusedError("failed", str(e)) from e

    def _listen(self, library: Library) -> None:
        self._stale.set()
        if self._listening is not None:
            return
        loop = asyncio.get_running_loop()

        def changed() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._stale.set)

        self._listening = changed
        library.add_listener(changed)
        self._teller = asyncio.create_task(self._tell(library))

    async def _tell(self, library: Library) -> None:
        """Send the library whenever it has changed; several changes at once are one message."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            with contextlib.suppress(OSError):  # the folder is gone for a moment
                self._send(await asyncio.to_thread(library.message))
