"""Audio of any block size, cut into frames of one size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from follower.config import require


class Framer:
    """Re-blocks audio into whole hops, with the window's history before them.

    >>> framer = Framer(window_samples=4, hop_samples=2)
    >>> framer.process(np.array([1, 2, 3], np.float32)).tolist()
    [[0.0, 0.0, 1.0, 2.0]]
    >>> framer.process(np.array([4], np.float32)).tolist()
    [[1.0, 2.0, 3.0, 4.0]]
    """

    def __init__(self, window_samples: int, hop_samples: int) -> None:
        """Start with a silent history.

        Raises:
            ConfigError: hop or window below 1, or a hop longer than the window.
        """
        require(1 <= hop_samples <= window_samples, "hop_samples", hop_samples, f"1..{window_samples}")
        self.window_samples = window_samples
        self.hop_samples = hop_samples
        self.reset()

    def reset(self) -> None:
        """Forget all audio."""
        self._history = np.zeros(self.window_samples - self.hop_samples, np.float32)
        self._pending: list[NDArray[np.float32]] = []
        self._n_pending = 0

    def process(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take samples (n,), n >= 0; return the windows completed, (k, window), newest sample last (a view)."""
        self._pending.append(np.array(samples, np.float32))
        self._n_pending += len(samples)
        n_hops = self._n_pending // self.hop_samples
        if n_hops == 0:
            return np.empty((0, self.window_samples), np.float32)
        audio = np.concatenate([self._history, *self._pending])
        used = n_hops * self.hop_samples
        self._history = audio[used : used + len(self._history)].copy()
        rest = audio[used + len(self._history) :].copy()
        self._pending, self._n_pending = [rest], len(rest)
        # The view that numpy.lib.stride_tricks.sliding_window_view takes 60 microseconds to make.
        step = audio.itemsize
        return np.ndarray((n_hops, self.window_samples), audio.dtype, audio, strides=(self.hop_samples * step, step))
