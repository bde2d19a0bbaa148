"""The orchestra's sound of one session, for one listener at a time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

from follower.piece.piece import Piece
from follower.playback.desk import Desk
from follower.playback.followed_player import FollowedPlayer
from follower.playback.orchestra_file import RecordingShelf
from follower.playback.player import OrchestraPlayer
from follower.playback.streamed import FIRST_LEAD_S, Stamp, StreamedOutput
from follower.playback.stretchers import DEFAULT_STRETCHER, make_stretcher
from follower.practice.companion import kept_recording
from follower.protocol.messages import Message
from follower.protocol.room_messages import QuietMessage, SoundMessage
from follower.protocol.room_requests import Heard
from follower.websocket.frames import Frame, Listener

SHELF = RecordingShelf()
_NUMBERS = itertools.count(1)


class SessionSound:
    """Lives on the server's loop; the sound is made by a thread per listener.

    Args:
        piece: what is played.
        desk: what the session's outputs are asked for.
    """

    def __init__(self, piece: Piece, desk: Desk) -> None:
        self.piece = piece
        self.desk = desk
        self._listener: Listener | None = None
        self._output: StreamedOutput | None = None

    async def listen(self, sample_rate_hz: int, listener: Listener) -> None:
        """Send the sound to this listener from now on; another one loses it.

        Raises:
            InputError: the orchestra recording is not there, or another one.
            AudioFileError: it cannot be read.
        """
        loop = asyncio.get_running_loop()
        player = await asyncio.to_thread(self._make_player, sample_rate_hz)
        self.stop(self._listener, "another page plays the orchestra now")
        number = next(_NUMBERS)
        followed = FollowedPlayer(player)

        def send(block: bytes) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(self._pass_on, number, block)

        output = StreamedOutput(followed, number, send)
        self._listener, self._output = listener, output
        self._offer(listener, SoundMessage(number, sample_rate_hz, 2, 1e3 * FIRST_LEAD_S))
        self.desk.attach(followed, streamed=True)
        output.__enter__()

    def _pass_on(self, stream: int, block: bytes) -> None:
        """Send a block, unless its stream has ended since it was made."""
        if self._listener is not None and self._output is not None and self._output.stream == stream:
            self._listener.offer(Frame(block, False))

    def heard(self, listener: Listener, report: Heard) -> None:
        """Take what the listener says of its playing; of an old stream it means nothing."""
        output = self._output
        if output is not None and listener is self._listener and report.stream == output.stream:
            output.report(Stamp(report.frame, float(report.at_s), report.slack_ms / 1e3, report.missing))

    def stop(self, listener: Listener | None, reason: str) -> None:
        """Send this listener no more sound, if it gets it."""
        if listener is None or listener is not self._listener:
            return
        output, self._output, self._listener = self._output, None, None
        if output is not None:
            output.close()
            self.desk.detach(output.followed)
            self._offer(listener, QuietMessage(reason))

    def close(self) -> None:
        """The session is over."""
        self.stop(self._listener, "the session is over")

    def _make_player(self, sample_rate_hz: int) -> OrchestraPlayer:
        recording = SHELF.load(self.piece, kept_recording(self.piece.path, "orchestra"), sample_rate_hz)
        self.desk.take_recording(recording)
        return OrchestraPlayer(recording, lambda: make_stretcher(DEFAULT_STRETCHER, recording))

    @staticmethod
    def _offer(listener: Listener, message: Message) -> None:
        listener.offer(Frame.of(message))
