"""A click-free peak limiter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from follower.kernels import stretch as kernels

LOOKAHEAD_S = 0.003
RELEASE_S = 0.2


class Limiter:
    """Keeps peaks under a ceiling: the gain falls ahead of a peak, the same for all channels, and recovers slowly.

    Args:
        channels: channels of the signal.
        sample_rate_hz: rate of the signal.
        ceiling: largest magnitude that comes out.

    Example:
        >>> limiter = Limiter(1, 8000, 0.5)
        >>> float(abs(limiter.process(np.ones((800, 1), np.float32))).max()) <= 0.5
        True
    """

    def __init__(self, channels: int, sample_rate_hz: int, ceiling: float = 0.97) -> None:
        self.latency_samples = max(round(LOOKAHEAD_S * sample_rate_hz), 1)
        self._ceiling = ceiling
        self._release = 1.0 - float(np.exp(-1.0 / (RELEASE_S * sample_rate_hz)))
        self._state = np.array([0.0, 1.0])
        self._delay = np.zeros((self.latency_samples, channels), np.float32)
        self._wanted = np.ones(self.latency_samples)

    def process(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return as many samples (n, channels) as come in, `latency_samples` late."""
        out = np.empty_like(samples)
        kernels.limit(samples, self._ceiling, self._release, self._state, self._delay, self._wanted, out)
        return out
