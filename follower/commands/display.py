"""One line that tells where the follower is, rewritten in place."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TextIO

from follower.events import Event, Notice, Position, Session
from follower.session.background_sink import BackgroundSink

REFRESH_S = 0.1


def clock_text(seconds: float) -> str:
    """Return minutes and seconds, as in 3:07.4."""
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def position_line(position: Position, orchestra_duration_s: float, audio_duration_s: float | None) -> str:
    """Return the display's line for a position."""
    audio = clock_text(position.audio_time_s)
    if audio_duration_s is not None:
        audio += f"/{clock_text(audio_duration_s)}"
    if position.orchestra_time_s is None:
        place = "orchestra   ---  "
    else:
        place = f"orchestra {clock_text(position.orchestra_time_s)}/{clock_text(orchestra_duration_s)}"
    return (
        f"piano {audio}  {place}  rate {position.rate:4.2f}  "
        f"confidence {position.confidence:4.2f}  {position.state.value}"
    )


class ProgressDisplay(BackgroundSink):
    """Shows the newest position about ten times a second on a terminal; on anything else it shows nothing.

    A terminal can be stopped by its user (Ctrl-S), so it is written to from a thread like every other listener.

    Args:
        stream: usually stderr.
        orchestra_duration_s: length of the orchestra recording.
        audio_duration_s: length of the piano recording; None for a live stream.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        stream: TextIO,
        orchestra_duration_s: float,
        audio_duration_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(capacity=64)
        self._stream = stream
        self._orchestra_duration_s = orchestra_duration_s
        self._audio_duration_s = audio_duration_s
        self._clock = clock
        self._shown_s = float("-inf")
        self._width = 0

    @property
    def dropped(self) -> int:
        """A terminal that shows only the newest loses nothing."""
        return 0

    def open(self) -> None:
        """Nothing to open."""

    def send(self, event: Event) -> None:
        """Queue what a terminal would show."""
        if isinstance(event, Position | Notice) and self._stream.isatty():
            super().send(event)

    def deliver(self, items: list[Session | Event]) -> None:
        """Show the notices and, if it is time to, the newest position. A terminal that is gone is no failure."""
        with contextlib.suppress(OSError):
            self._show(items)

    def _show(self, items: list[Session | Event]) -> None:
        for item in items:
            if isinstance(item, Notice):
                self._stream.write("\r" + " " * self._width + f"\r{item.message}\n")
        newest = next((item for item in reversed(items) if isinstance(item, Position)), None)
        now_s = self._clock()
        if newest is None or now_s - self._shown_s < REFRESH_S:
            return
        self._shown_s = now_s
        line = position_line(newest, self._orchestra_duration_s, self._audio_duration_s)
        self._stream.write("\r" + line.ljust(self._width))
        self._stream.flush()
        self._width = len(line)

    def close(self) -> None:
        """End the line."""
        if self._width:
            with contextlib.suppress(OSError):
                self._stream.write("\n")
