"""A sink of your own: one file, no change to the program.

    PYTHONPATH=examples follower replay CACHE p.wav --sink text_sink:TextSink=positions.txt

`BackgroundSink` brings the thread and the bounded queue: `deliver` may be as slow as it likes.
To add a sink to the program itself, put the file into the room of its medium (follower/files/, follower/osc/ ...)
and one line into follower/session/plugins.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from follower.errors import OutputError
from follower.events import Event, Position, Session, StateChange
from follower.session.background_sink import BackgroundSink


class TextSink(BackgroundSink):
    """Write a line about every whole second of orchestra and every change of state.

    Args:
        path: the file to write.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = Path(path)
        self._file: TextIO | None = None
        self._second = -1

    def open(self) -> None:
        """Create the file."""
        try:
            self._file = self._path.open("w", encoding="utf-8")
        except OSError as e:
            raise OutputError(f"cannot write {self._path}: {e.strerror or e}; choose another file") from e

    def deliver(self, items: list[Session | Event]) -> None:
        """Write the lines."""
        assert self._file is not None
        for item in items:
            match item:
                case Session():
                    self._file.write(f"following, {item.orchestra_duration_s:.0f} s of orchestra\n")
                case StateChange():
                    self._file.write(f"{item.state}: {item.reason}\n")
                case Position(orchestra_time_s=float(position_s)) if int(position_s) != self._second:
                    self._second = int(position_s)
                    self._file.write(f"{self._second} s at rate {item.rate:.2f}\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
