"""Where the follower is, on the terminal: a line and a bar that are rewritten in place."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from follower.events import Event, Notice, Position, Session, StateChange
from follower.session.background_sink import BackgroundSink
from follower.terminal import clock_text, make_console

if TYPE_CHECKING:
    from rich.console import Group

REFRESH_S = 0.1


class LiveView(BackgroundSink):
    """Shows the newest position about ten times a second on a terminal; anything else gets a line per change of state.

    A terminal can be stopped by its user (Ctrl-S), so it is written to from the sink's thread only.

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
        from rich.live import Live

        super().__init__(capacity=64)
        self._orchestra_duration_s = orchestra_duration_s
        self._audio_duration_s = audio_duration_s
        self._clock = clock
        self._shown_s = float("-inf")
        self._newest: Position | None = None
        self._console = make_console(stream)
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)

    @property
    def dropped(self) -> int:
        """A terminal that shows only the newest loses nothing."""
        return 0

    def open(self) -> None:
        """Nothing is shown before there is something to show."""

    def send(self, event: Event) -> None:
        """Queue what is shown."""
        if isinstance(event, Position | Notice | StateChange):
            super().send(event)

    def deliver(self, items: list[Session | Event]) -> None:
        """Show the notices and, if it is time to, the newest position. A terminal that is gone is no failure."""
        with contextlib.suppress(OSError):
            self._show(items)

    def _show(self, items: list[Session | Event]) -> None:
        for item in items:
            if isinstance(item, Notice):
                self._console.print(item.message)
            elif isinstance(item, Position):
                self._newest = item
            elif isinstance(item, StateChange) and not self._console.is_terminal:
                self._console.print(state_text(item, self._newest))
        if not self._console.is_terminal:
            return
        newest = next((item for item in reversed(items) if isinstance(item, Position)), None)
        now_s = self._clock()
        if newest is None or now_s - self._shown_s < REFRESH_S:
            return
        self._shown_s = now_s
        self._live.start()
        self._live.update(self._view(newest), refresh=True)

    def _view(self, position: Position) -> Group:
        """The position in words, and below it how much of the orchestra recording is over."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        words = position_text(position, self._orchestra_duration_s, self._audio_duration_s)
        return Group(
            Text(words, no_wrap=True, overflow="ellipsis"),
            ProgressBar(total=self._orchestra_duration_s, completed=position.orchestra_time_s or 0.0),
        )

    def close(self) -> None:
        """Leave the last position on the terminal."""
        with contextlib.suppress(OSError):
            self._live.stop()


def state_text(change: StateChange, newest: Position | None) -> str:
    """Return a change of state in words, for a log.

    Example:
        >>> from follower.events import State
        >>> state_text(StateChange(44100, 44100, State.PAUSED, State.FOLLOWING, "the pianist stopped"), None)
        'piano 0:01.0  orchestra ---  paused: the pianist stopped'
    """
    at = "---" if newest is None or newest.orchestra_time_s is None else clock_text(newest.orchestra_time_s)
    audio_time_s = change.audio_sample / change.sample_rate_hz
    return f"piano {clock_text(audio_time_s)}  orchestra {at}  {change.state.value}: {change.reason}"


def position_text(position: Position, orchestra_duration_s: float, audio_duration_s: float | None) -> str:
    """Return a position in words."""
    audio = clock_text(position.audio_time_s)
    if audio_duration_s is not None:
        audio += f"/{clock_text(audio_duration_s)}"
    orchestra = "---" if position.orchestra_time_s is None else clock_text(position.orchestra_time_s)
    return (
        f"piano {audio}  orchestra {orchestra}/{clock_text(orchestra_duration_s)}  rate {position.rate:.2f}  "
        f"confidence {position.confidence:.2f}  {position.state.value}"
    )
