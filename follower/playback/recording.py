"""The orchestra recording as the player needs it: all channels at the file's own rate, and where its attacks are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.files.audio_file import read_audio
from follower.kernels import stretch as kernels

ATTACK_BLOCK_S = 0.0015
ATTACK_RISE_DB = 9.0
"""Rise of the high-passed level over the loudest of the last 30 ms that counts as an attack."""
ATTACK_MEMORY_S = 0.030
ATTACK_SPACING_S = 0.060
ATTACK_FLOOR_DB = -50.0
"""Attacks quieter than this below the recording's peak level are noise."""


@dataclass(frozen=True)
class OrchestraRecording:
    """What is played.

    Attributes:
        samples: float32, shape (channels, n), contiguous.
        sample_rate_hz: the file's own rate.
        attacks: sample numbers of sharp attacks, increasing, int64; the stretchers keep the sound unstretched
            there and the player re-enters on them.
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int
    attacks: NDArray[np.int64]

    @classmethod
    def from_samples(cls, samples: NDArray[np.float32], sample_rate_hz: int) -> OrchestraRecording:
        """Wrap samples of shape (n,) or (channels, n) and find their attacks.

        Example:
            >>> import numpy as np
            >>> OrchestraRecording.from_samples(np.zeros(8000, np.float32), 8000).duration_s
            1.0
        """
        planar = np.ascontiguousarray(np.atleast_2d(samples), dtype=np.float32)
        return cls(planar, sample_rate_hz, find_attacks(planar, sample_rate_hz))

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[0])

    @property
    def n_samples(self) -> int:
        """Length in samples."""
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sample_rate_hz

    def resampled(self, sample_rate_hz: int) -> OrchestraRecording:
        """Return the recording at another rate, for a device that cannot play this one."""
        import soxr

        resampled = soxr.resample(self.samples.T, self.sample_rate_hz, sample_rate_hz, quality="VHQ")
        return OrchestraRecording.from_samples(resampled.T, sample_rate_hz)

    def window(self, first: int, n: int, out: NDArray[np.float32]) -> None:
        """Copy samples [first, first + n) of every channel into `out` (channels, n); silence outside the file."""
        lo, hi = min(max(first, 0), self.n_samples), min(max(first + n, 0), self.n_samples)
        out[:, : lo - first if lo < hi else n] = 0.0
        out[:, hi - first if lo < hi else 0 :] = 0.0
        if lo < hi:
            out[:, lo - first : hi - first] = self.samples[:, lo:hi]


def load_orchestra(path: Path) -> OrchestraRecording:
    """Read the orchestra recording in full: 32-bit floats, so a stereo hour at 44.1 kHz takes 1.3 GB.

    Raises:
        AudioFileError: missing, not audio, damaged, or with samples that are not finite.
    """
    samples, rate_hz = read_audio(path)
    return OrchestraRecording.from_samples(samples.T, rate_hz)


def find_attacks(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.int64]:
    """Return the sample numbers of sharp attacks (rise above `ATTACK_RISE_DB` within a few ms), int64, increasing.

    Works on the power of the first difference (a plain high-pass) in blocks of `ATTACK_BLOCK_S`, summed over channels.
    """
    block = max(round(ATTACK_BLOCK_S * sample_rate_hz), 1)
    power = kernels.difference_power(samples, block)
    if len(power) == 0:
        return np.zeros(0, np.int64)
    floor = float(power.max()) * 10.0 ** (ATTACK_FLOOR_DB / 10.0)
    blocks: NDArray[np.int64] = kernels.power_rises(
        power,
        round(ATTACK_MEMORY_S / ATTACK_BLOCK_S),
        10.0 ** (ATTACK_RISE_DB / 10.0),
        floor,
        round(ATTACK_SPACING_S / ATTACK_BLOCK_S),
    )
    attacks: NDArray[np.int64] = blocks * block
    return attacks
