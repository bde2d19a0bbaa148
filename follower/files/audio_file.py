"""Reading recordings: wav, flac, ogg, mp3, m4a; in blocks or whole. The one place that knows what a damaged file is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from follower.errors import AudioFileError
from follower.files.mpeg4 import decode_mpeg4, is_mpeg4

if TYPE_CHECKING:
    from typing import IO

BLOCK_SAMPLES = 1 << 18
SAMPLE_BYTES = {
    "PCM_S8": 1,
    "PCM_U8": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
    "ULAW": 1,
    "ALAW": 1,
}
"""Bytes of one sample of one channel where nothing is compressed, by libsndfile's name."""
COMPRESSED_FORMATS = frozenset({"FLAC", "OGG", "MP3", "MPEG"})
MAX_LEVEL = 1e6
"""120 dB over full scale: no recording is louder, and sums of squares stay far from overflowing."""
MAX_SAMPLES_PER_BYTE = 8192
"""No codec here packs more: silence in FLAC takes about 14 bytes per block of at most 65535 samples."""


class AudioFile:
    """An open recording, read from its start on, every error one sentence that names the file.

    Args:
        path: the recording.

    Example:
        >>> with AudioFile(Path("p.wav")) as file:                   # doctest: +SKIP
        ...     for block in file.blocks(512):
        ...         print(block.shape)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: soundfile.SoundFile | None = None
        self._decoded: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Open the file.

        Raises:
            AudioFileError: missing, not audio, too small for the length it declares, or of a format that needs PyAV.
        """
        try:
            if is_mpeg4(self.path):
                self._decoded = decode_mpeg4(self.path)
                self._file = soundfile.SoundFile(self._decoded)
                return self
            n_bytes = self.path.stat().st_size
            self._file = soundfile.SoundFile(self.path)
        except OSError as e:
            raise AudioFileError(f"cannot read {self.path}: {e.strerror or e}; give the path of a recording") from e
        except (soundfile.LibsndfileError, RuntimeError, TypeError) as e:
            raise AudioFileError(
                f"{self.path} is not an audio file that can be read ({_reason(e)}); give wav, flac, ogg, mp3 or m4a"
            ) from e
        if self.n_samples > _max_samples(self._file, n_bytes):
            n_samples = self.n_samples
            self.close()
            raise AudioFileError(
                f"{self.path} declares {n_samples} samples, more than its {n_bytes} bytes can hold; export it again"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
        decoded, self._decoded = self._decoded, None
        if decoded is not None:
            decoded.close()

    @property
    def is_open(self) -> bool:
        """Whether the file can be read."""
        return self._file is not None

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the file."""
        return int(self._opened().samplerate)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self._opened().channels)

    @property
    def n_samples(self) -> int:
        """Declared length, in samples of one channel."""
        return int(self._opened().frames)

    def read(self, n_samples: int) -> NDArray[np.float32]:
        """Return the next samples, shape (n, channels), n <= n_samples; n is 0 at the end.

        Raises:
            AudioFileError: the file is damaged there, or memory does not suffice for so many samples.
        """
        try:
            samples: NDArray[np.float32] = self._opened().read(n_samples, dtype="float32", always_2d=True)
        except (OSError, soundfile.LibsndfileError, RuntimeError) as e:
            raise AudioFileError(f"{self.path} is damaged ({_reason(e)}); export it again") from e
        except MemoryError as e:
            raise AudioFileError(
                f"the {n_samples} samples that {self.path} declares do not fit into memory; is it damaged?"
            ) from e
        return samples

    def blocks(self, n_samples: int = BLOCK_SAMPLES) -> Iterator[NDArray[np.float32]]:
        """Yield the rest of the file in blocks of shape (n_samples, channels), the last one shorter.

        Raises:
            AudioFileError: the file is damaged.
        """
        while len(block := self.read(n_samples)):
            yield block

    def rewind(self) -> None:
        """Read from the start again."""
        self._opened().seek(0)

    def _opened(self) -> soundfile.SoundFile:
        assert self._file is not None, f"{self.path} is not open; use it in a with statement"
        return self._file


def read_audio(path: Path) -> tuple[NDArray[np.float32], int]:
    """Read a whole recording: samples of shape (n, channels), and their rate (Hz).

    Raises:
        AudioFileError: missing, not audio, damaged, or with samples that are not finite.
    """
    with AudioFile(path) as file:
        samples = file.read(file.n_samples)
        _check_finite(samples, 0, file)
        return samples, file.sample_rate_hz


def finite_blocks(file: AudioFile) -> Iterator[NDArray[np.float32]]:
    """Yield the rest of an open file in blocks, as `AudioFile.blocks`, and refuse samples that are no numbers.

    Raises:
        AudioFileError: damaged, or with NaN or infinite samples.
    """
    n = 0
    for block in file.blocks():
        _check_finite(block, n, file)
        n += len(block)
        yield block


def _check_finite(samples: NDArray[np.float32], first: int, file: AudioFile) -> None:
    """Raise where a sample is NaN, infinite or absurd; `first` is the number of the first one in the file."""
    finite = np.isfinite(samples)
    if not finite.all():
        at_s = (first + int(np.argmin(finite.all(axis=1)))) / file.sample_rate_hz
        raise AudioFileError(f"{file.path} has a sample that is not a number at {at_s:.3f} s; export it again")
    if len(samples) and max(float(samples.max()), -float(samples.min())) > MAX_LEVEL:
        loudest = np.abs(samples).max(axis=1)
        at = int(np.argmax(loudest > MAX_LEVEL))
        raise AudioFileError(
            f"{file.path} has a sample of {loudest[at]:.2g} times full scale at "
            f"{(first + at) / file.sample_rate_hz:.3f} s; export it again"
        )


def _max_samples(file: soundfile.SoundFile, n_bytes: int) -> int:
    """How many samples per channel a file of so many bytes can hold."""
    if file.format in COMPRESSED_FORMATS or file.subtype not in SAMPLE_BYTES:
        return n_bytes * MAX_SAMPLES_PER_BYTE
    return n_bytes // (SAMPLE_BYTES[file.subtype] * int(file.channels))


def _reason(error: BaseException) -> str:
    return (getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)).strip().rstrip(".")
