"""Positions as CSV, the file the evaluation reads."""

from __future__ import annotations

import csv
from typing import TextIO

from follower.events import Event, Position, Session
from follower.files.text_file import TextFileSink

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


class CsvSink(TextFileSink):
    """Write one row per position."""

    def write_header(self, file: TextIO) -> None:
        """Write the columns' names."""
        csv.writer(file).writerow(HEADER)

    def write(self, file: TextIO, items: list[Session | Event]) -> None:
        """Write the positions among the items."""
        csv.writer(file).writerows(position_row(i) for i in items if isinstance(i, Position))
