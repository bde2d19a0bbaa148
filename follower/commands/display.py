"""One line that tells where the follower is, rewritten in place."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self, TextIO

from follower.events import Event, Notice, Position

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


class ProgressDisplay:
    """Shows the newest position about ten times a second on a terminal; on anything else it shows nothing.

    Args:
        stream: usually stderr.
        orchestra_duration_s: length of the orchestra recording.
        audio_duration_s: length of the piano recording; None for a live stream.
    """

    def __init__(self, stream: TextIO, orchestra_duration_s: float, audio_duration_s: float | None = None) -> None:
        self._stream = stream
        self._orchestra_duration_s = orchestra_duration_s
        self._audio_duration_s = audio_duration_s
        self._shown_s = -REFRESH_S
        self._width = 0

    def __enter__(self) -> Self:
        """Start showing."""
        return self

    def show(self, event: Event) -> None:
        """Show an event if it is time to."""
        if not self._stream.isatty():
            return
        if isinstance(event, Notice):
            self._stream.write("\r" + " " * self._width + f"\r{event.message}\n")
            return
        now_s = time.monotonic()
        if not isinstance(event, Position) or now_s - self._shown_s < REFRESH_S:
            return
        self._shown_s = now_s
        line = position_line(event, self._orchestra_duration_s, self._audio_duration_s)
        self._stream.write("\r" + line.ljust(self._width))
        self._stream.flush()
        self._width = len(line)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the line."""
        if self._width:
            self._stream.write("\n")
