"""The orchestra's sound of a session: what is on its way when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from follower.playback.desk import Desk
from follower.playback.followed_player import FollowedPlayer
from follower.playback.wishes import Wishes
from follower.testing import make_piece
from follower.websocket import session_sound
from follower.websocket.frames import Frame
from follower.websocket.session_sound import SessionSound


class Output:
    """Sends what it is told to; makes no sound by itself."""

    def __init__(self, followed: FollowedPlayer, stream: int, send: Callable[[bytes], None]) -> None:
        self.followed, self.stream, self.send = followed, stream, send

    def __enter__(self) -> Output:
        self.send(b"first")
        return self

    def close(self) -> None:
        self.send(b"made while it was closed")


class Listening:
    """Keeps what it is offered."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def offer(self, frame: Frame) -> None:
        self.frames.append(frame)


def test_nothing_sounds_after_it_was_said_to_be_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks reach the loop from a thread: some are still on their way when the loop ends the stream."""
    monkeypatch.setattr(session_sound, "StreamedOutput", Output)
    monkeypatch.setattr(SessionSound, "_make_player", lambda *_: None)
    monkeypatch.setattr(session_sound, "FollowedPlayer", lambda _: object())
    monkeypatch.setattr(Desk, "attach", lambda *_, **__: None)
    monkeypatch.setattr(Desk, "detach", lambda *_: None)

    async def listen() -> list[str | bytes]:
        sound, listener = SessionSound(make_piece(), Desk(Wishes())), Listening()
        await sound.listen(22050, listener)
        await asyncio.sleep(0)
        sound.stop(listener, "enough")
        await asyncio.sleep(0)
        return [frame.content for frame in listener.frames]

    told, first, quiet = asyncio.run(listen())
    assert '"sound"' in str(told) and first == b"first" and '"quiet"' in str(quiet)
