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
                self._files[role] = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  (closed by `close`)
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
        for file in self._files.values():
            file.close()
        self._files = {}

    def write(self, stretches: Iterable[Stretch]) -> None:
        """Write all of both parts. Samples above full scale, which the mix does not have, are clipped.

        Raises:
            OutputError: there is no room.
            AudioFileError: what yields the stretches cannot read the mix.
        """
        piano, orchestra = (
            soundfile.SoundFile(f, "w", self._sample_rate_hz, self._channels, SUBTYPE, format="FLAC")
            for f in self._files.values()
        )
        with piano, orchestra:
            for stretch in stretches:
                self._append(piano, stretch.piano)
                self._append(orchestra, stretch.orchestra)
        try:
            for file in self._files.values():
                file.flush()
        except OSError as e:
            raise self._trouble(e) from e

    def _append(self, file: soundfile.SoundFile, samples: NDArray[np.float32]) -> None:
        try:
            file.write(np.clip(samples, -1.0, 1.0))
            file.flush()
        except (OSError, soundfile.LibsndfileError, RuntimeError) as e:
            raise self._trouble(e) from e

    def _trouble(self, error: Exception) -> OutputError:
        reason = getattr(error, "strerror", None) or error
        return OutputError(f"cannot write the separated parts into {self._folder}: {reason}; make room or choose another")

    def described(self, duration_s: float) -> dict[str, InputFile]:
        """What the manifest says of the files, by role."""
        found = {}
        for role, file in self._files.items():
            found[role] = InputFile(SEPARATED[role], _sha256(file), duration_s, self._sample_rate_hz)
        return found

    def orchestra(self) -> Recording:
        """The orchestra as a recording: mono, with what else prep needs to know."""
        file = self._files["mix_orchestra"]
        digest = _sha256(file)
        file.seek(0)
        with soundfile.SoundFile(file) as opened:
            blocks = [b.mean(axis=1, dtype=np.float32) for b in opened.blocks(1 << 18, dtype="float32", always_2d=True)]
        return Recording(
            Path(SEPARATED["mix_orchestra"]), np.concatenate(blocks), self._sample_rate_hz, self._channels, digest
        )


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()
