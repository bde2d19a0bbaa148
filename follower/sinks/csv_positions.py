"""Positions as CSV (design section 2), the file the evaluation reads."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TextIO

from follower.errors import OutputError
from follower.events import Event, Position
from follower.sinks.base import BackgroundSink, Session

HEADER = ("audio_time_s", "orchestra_time_s", "mix_time_s", "rate", "confidence", "state")


def position_row(position: Position) -> tuple[str, ...]:
    """Return one CSV row; an unknown position is an empty field."""

    def seconds(x: float | None) -> str:
        return "" if x is None else f"{x:.6f}"

    return (
        f"{position.audio_time_s:.6f}",
        seconds(position.orchestra_time_s),
        seconds(position.mix_time_s),
        f"{position.rate:.6f}",
        f"{position.confidence:.4f}",
        position.state.value,
    )


class CsvSink(BackgroundSink):
    """Write one row per position.

    Args:
        path: the file; its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._file: TextIO | None = None

    def open(self) -> None:
        """Create the file and write the header.

        Raises:
            OutputError: the file cannot be written.
        """
        try:
            self._file = self._path.open("w", newline="", encoding="utf-8")
        except OSError as e:
            raise OutputError(f"cannot write {self._path}: {e.strerror or e}; choose a file you may write") from e
        csv.writer(self._file).writerow(HEADER)

    def deliver(self, items: list[Session | Event]) -> None:
        """Write the positions among the items."""
        assert self._file is not None
        csv.writer(self._file).writerows(position_row(i) for i in items if isinstance(i, Position))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
