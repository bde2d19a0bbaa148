"""The separated parts as FLAC, in files that have no name and vanish with the program, however that ends."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from follower.errors import OutputError
from follower.piece.manifest import SEPARATED, InputFile
from offline_prep.audio import Recording
from offline_prep.separation.separate import Stretch

SUBTYPE: Final = "PCM_24"


class Stems:
    """The piano and the orchestra of a mix, as they are separated and afterwards.

    Args:
        folder: where the files take up room: beside the cache they are meant for.
        sample_rate_hz: of the mix.
        channels: of the mix.
    """

    def __init__(self, folder: Path, sample_rate_hz: int, channels: int) -> None:
        self._folder = folder
        self._sample_rate_hz = sample_rate_hz
        self._channels = channels
        self._files: dict[str, BinaryIO] = {}

    @property
    def files(self) -> dict[str, BinaryIO]:
        """The open files by role."""
        return dict(self._files)

    def __enter__(self) -> Self:
        """Make the files.

        Raises:
            OutputError: they cannot be made.
        """
        try:
            for role in SEPARATED:
                # Unbuffered, so that what does not fit is known at once and not while closing.
                self._files[role] = tempfile.TemporaryFile(dir=self._folder, buffering=0)
        except OSError as e:
            self.close()
            raise self._trouble(e) from e
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files, and so remove them."""
        self.close()

    def close(self) -> None:
        """Close the files, and so remove them; closing twice is harmless."""
        files, self._files = self._files, {}
        for file in files.values():
            file.close()

    def write(self, stretches: Iterable[Stretch]) -> None:
        """Write all of both parts. Samples above full scale, which the mix does not have, are clipped.

        Raises:
            OutputError: there is no room.
            AudioFileError: what yields the stretches cannot read the mix.
        """
        written = [_Written(f) for f in self._files.values()]
        piano, orchestra = (
            soundfile.SoundFile(f, "w", self._sample_rate_hz, self._channels, SUBTYPE, format="FLAC") for f in written
        )
        with piano, orchestra:
            for stretch in stretches:
                _append(piano, stretch.piano)
                _append(orchestra, stretch.orchestra)
                self._check(written)
        self._check(written)

    def _check(self, written: list[_Written]) -> None:
        for file in written:
            if file.trouble is not None:
                raise self._trouble(file.trouble) from file.trouble

    def _trouble(self, error: OSError) -> OutputError:
        reason = error.strerror or error
        return OutputError(
            f"cannot write the separated parts into {self._folder}: {reason}; make room or choose another"
        )

    def described(self, duration_s: float) -> dict[str, InputFile]:
        """What the manifest says of the files, by role."""
        found = {}
        for role, file in self._files.items():
            found[role] = InputFile(SEPARATED[role], _sha256(file), duration_s, self._sample_rate_hz)
        return found

    def recording(self, role: str) -> Recording:
        """A part as a recording: mono, with what else prep needs to know.

        Args:
            role: "mix_piano" or "mix_orchestra".
        """
        file = self._files[role]
        digest = _sha256(file)
        file.seek(0)
        with soundfile.SoundFile(file) as opened:
            blocks = [b.mean(axis=1, dtype=np.float32) for b in opened.blocks(1 << 18, dtype="float32", always_2d=True)]
        return Recording(Path(SEPARATED[role]), np.concatenate(blocks), self._sample_rate_hz, self._channels, digest)


def _append(file: soundfile.SoundFile, samples: NDArray[np.float32]) -> None:
    file.write(np.clip(samples, -1.0, 1.0))


class _Written:
    """A file for libsndfile to write into, which cannot be told what went wrong: that is kept here."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.trouble: OSError | None = None

    def write(self, content: bytes) -> int:
        """Write everything, or remember why not."""
        done = 0
        try:
            while done < len(content):
                done += self._file.write(content[done:])
        except OSError as e:
            self.trouble = self.trouble or e
        return len(content)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where the file is."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """Read what was written."""
        return self._file.read(size)


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()
