"""Base of the sinks that write a text file."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TextIO

from follower.errors import OutputError
from follower.events import Event, Session
from follower.session.background_sink import BackgroundSink


class TextFileSink(BackgroundSink):
    """Write events to a text file, from the sink's own thread.

    Args:
        path: the file; its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._file: TextIO | None = None

    @property
    def name(self) -> str:
        """The file."""
        return str(self._path)

    @abstractmethod
    def write(self, file: TextIO, items: list[Session | Event]) -> None:
        """Write the items, oldest first."""

    def open(self) -> None:
        """Create the file.

        Raises:
            OutputError: the file cannot be written.
        """
        try:
            self._file = self._path.open("w", newline="", encoding="utf-8")
        except OSError as e:
            raise OutputError(f"cannot write {self._path}: {e.strerror or e}; choose a file you may write") from e
        self.write_header(self._file)

    def write_header(self, file: TextIO) -> None:
        """Write what comes before the first event; nothing unless overridden."""

    def deliver(self, items: list[Session | Event]) -> None:
        """Write the items."""
        assert self._file is not None
        self.write(self._file, items)
        self._file.flush()  # whoever kills the program has what was delivered

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
