"""Takes out of the live piano what the loudspeakers play into the microphone: the orchestra recording, which we know.

A loudspeaker that follows the follower confirms whatever position it has: it hides the pianist's pauses and delays
the answer to jumps. `BleedCanceller` estimates how strongly each register of the orchestra recording
arrives at the microphone, by minimum statistics, and subtracts the power it predicts.

Bleed only adds power, so the ratio of what is received to what is played never falls far below the transfer. Without
bleed it does, in every gap of the piano, however alike the harmonies are. So the transfer is a low quantile of
that ratio, and where hardly anything of the live sound can be bleed, nothing is subtracted at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from follower.config import JsonConfig, require
from follower.kernels import bleed as kernels

TINY_POWER = 1e-18
MIN_DB = -60
"""Lower end of the ratio's histogram, in bins of 1 dB; a transfer in its lowest bins counts as none."""
N_BINS = 100


@dataclass(frozen=True)
class BleedConfig(JsonConfig):
    """The canceller's constants.

    Attributes:
        slack_frames: tolerance of the playback position: the prediction is the loudest level within this many frames
            of it, and a semitone certainly sounds only as loudly as the softest.
        decay_s: RT60 of the room, applied to predicted bleed; the prediction ends this long after playback stopped.
        fade_s: time after playback stopped during which the prediction does not fall yet: the player fades out, and
            what it played is still on its way.
        memory_s: time constant with which ratios are forgotten.
        registers: number of groups of semitones that share a transfer; between their centres it is interpolated.
        shared: weight of the other registers' ratios in each register.
        quantile: quantile of the ratio that is the estimate of the transfer.
        bias_db: how far that quantile lies below the mean ratio; added to it.
        loud: share of the recording's loud level (70th percentile) that a semitone must reach to be counted.
        settle_s: ratios count from this long after the loudspeakers began.
        enough: number of counted ratios a register needs.
        level_s: time constant of the levels that decide whether there is bleed at all.
        none_below: share of the live power up to which bleed is not subtracted.
        surely_above: share of the live power from which bleed is subtracted in full.
        factor: multiple of the predicted power that is subtracted.
        gate_factor: multiple of the predicted power that is subtracted to decide whether anything but bleed sounds.
        gate_from: ratio of the remaining power to the prediction up to which the hop is silent.
        gate_full: ratio of the remaining power to the prediction from which the hop passes unchanged.
    """

    slack_frames: int = 3
    decay_s: float = 0.8
    fade_s: float = 0.3
    memory_s: float = 12.0
    registers: int = 8
    shared: float = 0.1
    quantile: float = 0.03
    bias_db: float = 4.0
    loud: float = 0.05
    settle_s: float = 0.5
    enough: float = 400.0
    level_s: float = 4.0
    none_below: float = 0.1
    surely_above: float = 0.25
    factor: float = 3.0
    gate_factor: float = 6.0
    gate_from: float = 0.02
    gate_full: float = 0.08

    def __post_init__(self) -> None:
        """Check the fields that could break the arithmetic.

        Raises:
            ConfigError: a field is out of range.
        """
        require(self.slack_frames >= 0, "slack_frames", self.slack_frames, "0 or more")
        require(self.registers >= 1, "registers", self.registers, "1 or more")
        require(0 < self.quantile < 1, "quantile", self.quantile, "between 0 and 1")
        for name in ("decay_s", "memory_s", "level_s", "loud", "factor", "gate_factor"):
            require(getattr(self, name) > 0, name, getattr(self, name), "more than 0")
        require(0 <= self.fade_s < self.decay_s, "fade_s", self.fade_s, f"0 or more, below decay_s ({self.decay_s})")
        require(self.none_below < self.surely_above, "none_below", self.none_below, "less than surely_above")
        require(self.gate_from < self.gate_full, "gate_from", self.gate_from, "less than gate_full")


class BleedCanceller:
    """Subtracts the orchestra recording from the live amplitudes, hop by hop, in bounded work and memory.

    Args:
        orchestra_pitch: (n, k) float32, semitone amplitudes of the orchestra recording; n >= 1.
        hop_s: hop of the orchestra recording's frames and of the live ones.
        config: see `BleedConfig`.

    Example:
        >>> canceller = BleedCanceller(np.ones((10, 88), np.float32), 0.02)
        >>> canceller.process(np.full(88, 0.5, np.float32), None).max()     # nothing is playing: nothing changes
        np.float32(0.5)
    """

    def __init__(self, orchestra_pitch: NDArray[np.float32], hop_s: float, config: BleedConfig | None = None) -> None:
        c = self._config = config or BleedConfig()
        self._orchestra = orchestra_pitch
        self._hop_s = hop_s
        n = self._n = orchestra_pitch.shape[1]
        level = np.sqrt(np.einsum("nk,nk->n", orchestra_pitch, orchestra_pitch, dtype=np.float64))
        self._loud = max(c.loud * float(np.quantile(level, 0.7)), math.sqrt(TINY_POWER))
        self._register = np.arange(n) * min(c.registers, n) // n
        self._centre = np.array([np.mean(np.flatnonzero(self._register == r)) for r in np.unique(self._register)])
        self._decay = 10 ** (-3 * hop_s / c.decay_s)
        self._kept = math.exp(-hop_s / c.memory_s)
        self._level_share = 1 - math.exp(-hop_s / c.level_s)
        self.reset()

    def reset(self) -> None:
        """Forget everything received; the same as a fresh canceller."""
        self._predicted = np.zeros(self._n)
        self._surely_played = np.zeros(self._n)
        self._counts = np.zeros((len(self._centre), N_BINS))
        self._lowest = np.full(len(self._centre), -1)
        self._transfer = np.zeros(self._n)
        self._bleed_level = 0.0
        self._live_level = 0.0
        self._share = 0.0
        self._playing_s = 0.0
        self._stopped_s = 0.0

    @property
    def transfer(self) -> NDArray[np.float64]:
        """Estimated amplitude at the microphone over that in the recording, per semitone (k,); 0 where unknown."""
        return self._transfer.copy()

    @property
    def share(self) -> float:
        """0..1, how much of the prediction is subtracted: 0 when there is no bleed."""
        return self._share

    def process(self, pitch: NDArray[np.float32], orchestra_time_s: float | None) -> NDArray[np.float32]:
        """Return the live amplitudes (k,) without the bleed.

        Args:
            pitch: (k,) float32 amplitudes of the hop.
            orchestra_time_s: what the loudspeakers play at the end of the hop (s); None when nothing.
        """
        self._predict(orchestra_time_s)
        live = pitch.astype(np.float64)
        power = live * live
        if self._playing_s > self._config.settle_s:
            self._count(power)
        bleed = (self._transfer * self._predicted) ** 2
        if self._playing_s > 0:
            self._weigh(float(np.sum(bleed)), float(np.sum(power)))
        if self._share == 0:
            return pitch
        return self._subtract(live, power, bleed).astype(np.float32)

    def _predict(self, orchestra_time_s: float | None) -> None:
        """Amplitudes played about now, with the room's decay."""
        reach = self._config.slack_frames
        frame = -1 if orchestra_time_s is None else round(orchestra_time_s / self._hop_s) - 1
        if not 0 <= frame < len(self._orchestra):
            self._playing_s = 0.0
            self._stopped_s += self._hop_s
            if self._stopped_s > self._config.decay_s:
                self._predicted[:] = 0.0
            elif self._stopped_s > self._config.fade_s:
                self._predicted *= self._decay
            return
        self._playing_s += self._hop_s
        self._stopped_s = 0.0
        first, end = max(frame - reach, 0), min(frame + reach + 1, len(self._orchestra))
        kernels.predict(self._orchestra, first, end, self._decay, self._surely_played, self._predicted)

    def _count(self, power: NDArray[np.float64]) -> None:
        """Learn from the semitones in which the orchestra is loud."""
        c = self._config
        self._counts *= self._kept
        kernels.count(power, self._surely_played, self._register, self._loud, MIN_DB, TINY_POWER, self._counts)
        lowest = np.empty(len(self._centre), np.int64)
        kernels.low_quantile(self._counts, c.shared, c.quantile, c.enough, lowest)
        if np.array_equal(lowest, self._lowest):
            return
        self._lowest = lowest
        amplitude = np.where(lowest > 1, 10 ** ((lowest + 1.0 + MIN_DB + c.bias_db) / 20), 0.0)
        self._transfer = np.interp(np.arange(self._n), self._centre, amplitude)

    def _weigh(self, bleed_power: float, live_power: float) -> None:
        """Compare the levels over a while: is there bleed worth subtracting?"""
        c = self._config
        self._bleed_level += self._level_share * (bleed_power - self._bleed_level)
        self._live_level += self._level_share * (live_power - self._live_level)
        share = self._bleed_level / max(self._live_level, TINY_POWER)
        self._share = min(max((share - c.none_below) / (c.surely_above - c.none_below), 0.0), 1.0)

    def _subtract(
        self, live: NDArray[np.float64], power: NDArray[np.float64], bleed: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Subtract more than predicted, for single hops scatter; and close where nothing but bleed is left."""
        c = self._config
        explained = self._share * bleed / np.maximum(power, TINY_POWER)
        rest = live * np.maximum(1 - c.gate_factor * explained, 0.0)
        remaining = float(np.sum(rest * rest)) / max(self._share * float(np.sum(bleed)), TINY_POWER)
        gate = min(max((remaining - c.gate_from) / (c.gate_full - c.gate_from), 0.0), 1.0)
        return gate * live * np.maximum(1 - c.factor * explained, 0.0)
