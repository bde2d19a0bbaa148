"""Files that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self


class WholeFile:
    """A file that takes its name when it is complete: what is killed, interrupted or out of disk leaves no half of it.

    Until then it is `.NAME.part` beside it, which the next attempt overwrites. What is no regular file (a device, a
    pipe) is written to directly.

    Args:
        path: the file.

    Example:
        >>> with WholeFile(Path("f.bin")) as file:                   # doctest: +SKIP
        ...     file.part.write_bytes(content)
        ...     file.complete()
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._renamed = not path.exists() or path.is_file()
        self.part = path.with_name(f".{path.name}.part") if self._renamed else path

    def __enter__(self) -> Self:
        """Nothing is written yet."""
        return self

    def complete(self) -> None:
        """Give the file its name.

        Raises:
            OSError: it cannot be renamed.
        """
        if self._renamed:
            self.part.replace(self.path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was not completed."""
        if self._renamed:
            with contextlib.suppress(OSError):
                self.part.unlink(missing_ok=True)
