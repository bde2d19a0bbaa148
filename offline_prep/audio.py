"""Read a whole recording: any format, rate and channel count libsndfile knows, to mono float32."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from follower.errors import AudioFileError
from follower.files.audio_file import read_audio

MIN_RECORDING_S = 1.0
SILENCE_PEAK = 1e-4
"""-80 dB re full scale: below it a whole recording counts as silent."""
CLIPPED_SHARE = 0.02
"""A share of samples at full scale above this is no recording of music."""


@dataclass(frozen=True)
class Recording:
    """A recording as read.

    Attributes:
        path: the file.
        samples: mono (mean of the channels), float32, shape (n,), at the file's rate.
        sample_rate_hz: the file's rate.
        channels: the file's channel count.
        sha256: of the file's bytes, in hex.
    """

    path: Path
    samples: NDArray[np.float32]
    sample_rate_hz: int
    channels: int
    sha256: str

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate_hz


def file_sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes.

    Raises:
        AudioFileError: the file is missing or unreadable.
    """
    try:
        with path.open("rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()
    except OSError as e:
        raise AudioFileError(f"cannot read {path}: {e.strerror or e}; give the path of a recording") from e


def load_recording(path: Path) -> Recording:
    """Read and check a recording.

    Raises:
        AudioFileError: missing, not audio, damaged, shorter than a second, silent, clipped, or with samples
            that are not finite.
    """
    digest = file_sha256(path)
    data, rate = read_audio(path)
    if len(data) < MIN_RECORDING_S * rate:
        raise AudioFileError(
            f"{path} holds {len(data)} samples ({len(data) / rate:.3f} s); {MIN_RECORDING_S:g} s or more is needed"
        )
    peak = float(np.abs(data).max())
    if peak < SILENCE_PEAK:
        raise AudioFileError(f"{path} is silent (peak {peak:.2g} of full scale); is it the right file?")
    # A wrongly scaled or square-wave export sits at its peak; loud masters touch it only here and there.
    clipped = float(np.mean(np.abs(data) >= 0.999 * max(peak, 1.0)))
    if clipped > CLIPPED_SHARE:
        raise AudioFileError(f"{path} is clipped ({100 * clipped:.0f} % of its samples); export it at a lower level")
    mono = np.ascontiguousarray(data.mean(axis=1, dtype=np.float32))
    if float(np.abs(mono).max()) < SILENCE_PEAK:
        raise AudioFileError(f"{path}: its channels cancel each other when mixed to mono; give a mono file")
    return Recording(path, mono, rate, data.shape[1], digest)


def resample(samples: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Resample a whole mono signal, soxr HQ (the quality librosa loads with).

    Example:
        >>> import numpy as np
        >>> resample(np.zeros(44100, np.float32), 44100, 22050).shape
        (22050,)
    """
    if from_hz == to_hz:
        return samples
    out: NDArray[np.float32] = soxr.resample(samples, from_hz, to_hz, quality="HQ")
    return out
