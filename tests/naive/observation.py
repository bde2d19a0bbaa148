"""The live piano's observation in plain NumPy, all of the past kept: oracle of follower/kernels/observation.py."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from follower.kernels.observation import Constants

Array = NDArray[np.float64]


def contrast(x: Array, share: float, reach: int) -> Array:
    """`x` less `share` of the average over its neighbours, at least 0; the ends count repeatedly."""
    padded = np.pad(x, reach, mode="edge")
    average = np.convolve(padded, np.ones(2 * reach + 1) / (2 * reach + 1), "valid")
    return np.maximum(x - share * average, 0.0)


class Noise:
    """Amplitudes above the noise floor."""

    def __init__(self, floor_share: float, floor_rise: float, floor_factor: float, lag: int, tiny: float) -> None:
        self.floor_share, self.floor_rise, self.floor_factor = floor_share, floor_rise, floor_factor
        self.lag, self.tiny = lag, tiny
        self.above: list[Array] = []

    def hear(self, heard: Array, reach: int) -> tuple[Array, float, float, float, float]:
        """Return the amplitudes above the floor and the four figures of `heard_above_noise`."""
        if not self.above:
            self.average, self.floor = heard.copy(), heard.copy()
        self.average = self.average + self.floor_share * (heard - self.average)
        self.floor = np.maximum(np.minimum(self.average, self.floor * self.floor_rise), self.tiny)
        x = np.maximum(heard - self.floor_factor * self.floor, 0.0)
        before = self.above[-self.lag] if len(self.above) >= self.lag else np.zeros(len(x))
        self.above.append(x)
        risen = np.maximum(x - before, 0.0)
        peaks = contrast(heard, 1.0, reach)
        tonality = np.sum(peaks**2) / (np.sum(heard**2) + self.tiny**2)
        return x, float(np.linalg.norm(x)), float(np.linalg.norm(heard)), float(tonality), float(np.linalg.norm(risen))


class Parts:
    """The four parts and their novelty."""

    def __init__(
        self, c: Constants, overtones: list[int], norm_floors: list[float], span: int, novelty_lag: int
    ) -> None:
        self.c, self.overtones, self.norm_floors = c, overtones, norm_floors
        self.span, self.novelty_lag = span, novelty_lag
        self.compressed: list[Array] = []
        self.sustained: list[Array] = []
        self.norms: list[list[float]] = [[], [], [], []]
        self.onset: Array = np.zeros(1)
        self.swell: Array = np.zeros(1)

    def observe(self, x: Array, level: float, counts: bool) -> tuple[Array, float]:
        """Return the parts (4, k) and the cosine of `observe`."""
        c = self.c
        loud, compressed = np.log1p(c.sustain_gain / level * x), np.log1p(c.onset_gain / level * x)
        self.onset = np.maximum(self._rise(compressed, c.onset_lag), c.onset_decay * self.onset)
        self.swell = np.maximum(self._rise(compressed, c.swell_lag), c.swell_decay * self.swell)
        self.compressed.append(compressed)
        sustain = contrast(loud, c.contrast, c.reach)
        below = np.zeros_like(loud)
        for interval in self.overtones:
            below[interval:] = np.maximum(below[interval:], loud[:-interval])
        salience = np.maximum(sustain - c.overtone * below, 0.0)
        parts = np.array([sustain, contrast(self.onset, c.contrast, c.reach), self.swell, salience])
        for row, part in enumerate(parts):
            norm = float(np.linalg.norm(part))
            if counts:
                self.norms[row].append(norm)
            recent = sorted(self.norms[row][-self.span :])
            typical = recent[(len(recent) - 1) // 2] if recent else 0.0
            part /= norm + c.regular * max(typical, self.norm_floors[row]) + c.tiny
        before = self.sustained[-self.novelty_lag] if len(self.sustained) >= self.novelty_lag else np.zeros(len(x))
        self.sustained.append(parts[0])
        scale = math.sqrt(float(np.sum(before**2)) * float(np.sum(parts[0] ** 2)))
        return parts, float(np.sum(before * parts[0])) / scale if scale > 0 else 0.0

    def _rise(self, compressed: Array, lag: int) -> Array:
        if len(self.compressed) < lag:
            return np.zeros(len(compressed))
        return np.maximum(compressed - self.compressed[-lag], 0.0)
