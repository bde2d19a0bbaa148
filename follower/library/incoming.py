"""A recording on its way into the library: written under a name of ours, looked at before it is used."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import IO

from follower.errors import AudioFileError, InputError, OutputError
from follower.files.audio_file import AudioFile
from follower.files.find import AUDIO_ENDINGS

FOLDER = ".incoming"
MAX_BYTES = 1 << 31
MAX_LENGTH_S = 4 * 3600.0
FREE_BYTES = 1 << 28
"""The disk keeps so much free."""


class Incoming:
    """One file that comes in parts. Its methods write to a disk and may wait for it.

    Args:
        library: the library's folder.
        file: name the sender calls it.
        size_bytes: length it says the file has.

    Raises:
        InputError: a name without an ending we read, or too long a file.
        OutputError: the disk is full or cannot be written.
    """

    def __init__(self, library: Path, file: str, size_bytes: int) -> None:
        ending = Path(file).suffix.lower()
        if ending not in AUDIO_ENDINGS:
            raise InputError(f"{file[:80]!r} is no recording that can be read; give {', '.join(AUDIO_ENDINGS)}")
        if size_bytes > MAX_BYTES:
            raise InputError(
                f"{file[:80]!r} has {size_bytes / 1e9:.1f} GB, more than the {MAX_BYTES / 1e9:.1f} GB taken"
            )
        folder = library / FOLDER
        try:
            folder.mkdir(exist_ok=True)
            if shutil.disk_usage(folder).free < size_bytes + FREE_BYTES:
                raise OutputError(
                    f"the server's disk has no room for {size_bytes / 1e6:.0f} MB; remove something first"
                )
            self.path = folder / f"{secrets.token_hex(8)}{ending}"
            self._file: IO[bytes] = self.path.open("xb")
        except OSError as e:
            raise OutputError(f"the server cannot store the file: {e.strerror or e}") from e
        self.name = file
        self._missing = size_bytes

    @property
    def missing_bytes(self) -> int:
        """What has not come yet."""
        return self._missing

    def write(self, data: bytes) -> None:
        """Take the next part.

        Raises:
            InputError: more comes than was announced.
            OutputError: the disk is full or cannot be written.
        """
        if len(data) > self._missing:
            raise InputError(f"more of {self.name[:80]!r} comes than its announced size")
        try:
            self._file.write(data)
        except OSError as e:
            raise OutputError(f"the server cannot store the file: {e.strerror or e}; make room on its disk") from e
        self._missing -= len(data)

    def finish(self) -> float:
        """All has come: look whether it is a recording; return its length (s).

        Raises:
            AudioFileError: it is none, or too long.
            OutputError: the disk is full.
        """
        try:
            self._file.close()
        except OSError as e:
            raise OutputError(f"the server cannot store the file: {e.strerror or e}; make room on its disk") from e
        try:
            with AudioFile(self.path) as audio:
                length_s = audio.n_samples / audio.sample_rate_hz
        except AudioFileError as e:
            raise AudioFileError(str(e).replace(str(self.path), self.name)) from e
        if length_s > MAX_LENGTH_S:
            raise AudioFileError(
                f"{self.name} lasts {length_s / 3600:.1f} hours, more than {MAX_LENGTH_S / 3600:g}; cut it"
            )
        return length_s

    def remove(self) -> None:
        """It is not wanted any more."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def clear(library: Path) -> None:
    """Remove what an earlier server left half received."""
    folder = library / FOLDER
    if folder.is_dir():
        for path in folder.iterdir():
            if path.is_file():
                path.unlink(missing_ok=True)
