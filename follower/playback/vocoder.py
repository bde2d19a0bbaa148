"""The default stretcher: a phase-locked vocoder that reads the recording directly and leaves attacks unstretched.

Frames are placed every synthesis hop; each takes the source at the wanted position. Because the recording is at hand,
the source one synthesis hop earlier is analysed too, so that phases advance exactly at any rate (no phase unwrapping),
and the rate may change at every frame. Round an attack the source runs one to one through the frames that hold it
(otherwise they would repeat or swallow it), and what is new in the attack's spectrum keeps the source's own phases.
"""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from follower.kernels import stretch as kernels
from follower.playback.recording import OrchestraRecording
from follower.playback.stretcher import Committed

FRAME_S = 0.093
OVERLAP = 8
LOCK_SHARE = 0.30
"""Half width of the unstretched zone round an attack, as a share of the frame."""
LOCK_REACH = 3.0
"""The position is back on its straight line this many half widths from the attack (above 2.5 it never runs back)."""
FRESH_RISE = 4.0
"""Power rise across an attack that makes a bin part of it."""


class VocoderStretcher:
    """See `follower.playback.stretcher.Stretcher`.

    Example:
        >>> import numpy as np
        >>> s = VocoderStretcher(OrchestraRecording.from_samples(np.zeros(8000, np.float32), 8000))
        >>> s.start(1000.0, 1.0)
        >>> s.pull(160, 1.2).shape
        (160, 1)
    """

    def __init__(self, recording: OrchestraRecording) -> None:
        self._recording = recording
        self._frame = 1 << max(round(math.log2(FRAME_S * recording.sample_rate_hz)), 6)
        self._hop = self._frame // OVERLAP
        self._lock = LOCK_SHARE * self._frame
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self._frame) / self._frame)
        self._window = hann.astype(np.float32)
        # Hann squared at this overlap sums to 3/8 of it.
        self._synthesis_window = (hann / (0.375 * OVERLAP)).astype(np.float32)
        channels, bins = recording.channels, self._frame // 2 + 1
        self._gather = np.zeros((2, channels, self._frame), np.float32)
        self._previous = np.zeros((channels, bins), np.complex64)
        self._spectrum = np.zeros((channels, bins), np.complex64)
        self._keep_all = np.ones(bins, np.bool_)
        self._keep_none = np.zeros(bins, np.bool_)
        self._attack_bins = self._keep_none
        self._attack = -1
        self._centre = 0.0
        self._attacks: list[int] = [int(a) for a in recording.attacks]
        self._sum = np.zeros((channels, self._frame), np.float32)
        self._ready = np.zeros((channels, 0), np.float32)
        # Nominal positions in the recording of the last frames' centres, one synthesis hop apart; the last entry is
        # the frame to come.
        self._positions = [0.0]

    def start(self, source_sample: float, rate: float) -> None:
        """Forget everything; the next output sample is `source_sample` of the recording, played at `rate`."""
        self._sum[:] = 0.0
        self._ready = self._ready[:, :0]
        self._attack = -1
        # A sample is complete when OVERLAP frames have covered it: all but the last of those are laid here, and what
        # they complete before `source_sample` is dropped.
        first = 1 - OVERLAP // 2
        self._positions = [source_sample + rate * self._hop * k for k in (first - 1, first)]
        for k in range(OVERLAP - 1):
            self._add_frame(rate, self._keep_all if k == 0 else self._keep_none)
        self._ready = self._ready[:, :0]

    def pull(self, n: int, rate: float) -> NDArray[np.float32]:
        """Return the next `n` output samples, shape (n, channels)."""
        while self._ready.shape[1] < n:
            self._add_frame(rate, self._keep_none)
        out: NDArray[np.float32] = self._ready[:, :n].T.copy()
        self._ready = self._ready[:, n:]
        return out

    @property
    def source_sample(self) -> float:
        """Position in the recording (samples, fractional) of the next output sample."""
        k = len(self._positions) - 1 - self.committed.output_samples / self._hop
        low = min(max(math.floor(k), 0), len(self._positions) - 2)
        return self._positions[low] + (k - low) * (self._positions[low + 1] - self._positions[low])

    @property
    def committed(self) -> Committed:
        """Up to where the output is decided: the centre of the frame to come."""
        return Committed(self._frame / 2 + self._ready.shape[1], self._positions[-1])

    def _add_frame(self, rate: float, keep: NDArray[np.bool_]) -> None:
        """Overlap-add the frame at the next position, and complete one hop of output."""
        nominal = self._positions[-1]
        centre, attack = self._beside_attack(nominal, rate)
        if attack >= 0:
            if attack != self._attack:
                self._attack_bins = self._new_bins(attack)
            else:
                # Exactly one to one, even while the rate changes.
                centre = self._centre + self._hop
            keep = keep | self._attack_bins
        self._attack, self._centre = attack, centre
        first = round(centre) - self._frame // 2
        current, back = self._spectra(first, first - self._hop)
        kernels.lock_phases(current, back, self._previous, keep, self._spectrum)
        self._previous, self._spectrum = self._spectrum, self._previous
        self._sum += np.fft.irfft(self._previous, axis=-1) * self._synthesis_window
        self._ready = np.concatenate([self._ready, self._sum[:, : self._hop]], axis=1)
        self._sum[:, : -self._hop] = self._sum[:, self._hop :]
        self._sum[:, -self._hop :] = 0.0
        self._positions.append(nominal + rate * self._hop)
        del self._positions[: -(OVERLAP + 2)]

    def _spectra(self, first: int, second: int) -> NDArray[np.complex64]:
        """Return the spectra of the two frames beginning there, shape (2, channels, bins)."""
        self._recording.window(first, self._frame, self._gather[0])
        self._recording.window(second, self._frame, self._gather[1])
        return np.fft.rfft(self._gather * self._window, axis=-1).astype(np.complex64, copy=False)

    def _new_bins(self, attack: int) -> NDArray[np.bool_]:
        """Return the bins (bins,) whose power rises by `FRESH_RISE` across the attack."""
        behind, before = self._spectra(attack - self._frame // 4, attack - self._frame)
        new: NDArray[np.bool_] = np.sum(np.abs(behind) ** 2, axis=0) > FRESH_RISE * np.sum(np.abs(before) ** 2, axis=0)
        return new

    def _beside_attack(self, nominal: float, rate: float) -> tuple[float, int]:
        """Bend a nominal position so that it runs one to one round the nearest attack; return it and the attack or -1.

        With x the nominal distance from the attack: x / rate within `lock * rate` of it, then straight back to x at
        `LOCK_REACH` times that, or at half the way to the next attack.
        """
        k = bisect_left(self._attacks, nominal)
        near = self._attacks[max(k - 1, 0) : k + 1]
        if not near:
            return nominal, -1
        attack = min(near, key=lambda a: abs(a - nominal))
        x = nominal - attack
        i = k if attack >= nominal else k - 1
        neighbour = i - 1 if x < 0 else i + 1
        room = abs(self._attacks[neighbour] - attack) / 2 if 0 <= neighbour < len(self._attacks) else math.inf
        reach = min(LOCK_REACH * self._lock * rate, room)
        zone = reach / LOCK_REACH
        if abs(x) <= zone:
            return attack + x / rate, attack
        if abs(x) >= reach:
            return nominal, -1
        bent = zone / rate + (abs(x) - zone) * (reach - zone / rate) / (reach - zone)
        return attack + math.copysign(bent, x), -1
