"""Every event as one JSON object a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

from follower.errors import OutputError
from follower.events import Event
from follower.sinks.base import BackgroundSink, Session
from follower.sinks.messages import message


class JsonlSink(BackgroundSink):
    """Write one JSON object per event, in order.

    Args:
        path: the file; its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._file: TextIO | None = None

    def open(self) -> None:
        """Create the file.

        Raises:
            OutputError: the file cannot be written.
        """
        try:
            self._file = self._path.open("w", encoding="utf-8")
        except OSError as e:
            raise OutputError(f"cannot write {self._path}: {e.strerror or e}; choose a file you may write") from e

    def deliver(self, items: list[Session | Event]) -> None:
        """Write the items."""
        assert self._file is not None
        self._file.writelines(json.dumps(message(i)) + "\n" for i in items)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
