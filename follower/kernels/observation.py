"""Kernels of one hop of the live piano's observation. Oracle: tests/naive/observation.py.

In NumPy a hop is some eighty calls on 88 numbers, which cost more than the filter they feed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Noise(NamedTuple):
    """What `heard_above_noise` keeps from hop to hop.

    Attributes:
        average: (k,) short average of each semitone's amplitude.
        floor: (k,) noise floor of each semitone.
        sounding: (lag, k) ring of the newest amplitudes above the floor.
    """

    average: Array
    floor: Array
    sounding: Array


class Rise(NamedTuple):
    """What `observe` keeps from hop to hop.

    Attributes:
        onset: (k,) decaying quick rises.
        swell: (k,) decaying slow rises.
        compressed: (lag, k) ring of compressed amplitudes.
        sustained: (lag, k) ring of sustain parts.
        norms: (4, span) rings of the parts' norms over the hops in which the piano sounded.
    """

    onset: Array
    swell: Array
    compressed: Array
    sustained: Array
    norms: Array


class Constants(NamedTuple):
    """The numbers of `observe`, from `follower.signal.observation.ObservationConfig`."""

    sustain_gain: float
    onset_gain: float
    onset_lag: int
    swell_lag: int
    onset_decay: float
    swell_decay: float
    overtone: float
    contrast: float
    reach: int
    regular: float
    tiny: float


@njit(cache=True)
def contrast(x: Array, share: float, reach: int, out: Array) -> None:
    """Write `x` (k,) less `share` of the average over +-`reach` neighbours, at least 0; the ends count repeatedly."""
    k = len(x)
    for i in range(k):
        total = 0.0
        for j in range(i - reach, i + reach + 1):
            total += x[min(max(j, 0), k - 1)]
        out[i] = max(x[i] - share * total / (2 * reach + 1), 0.0)


@njit(cache=True)
def heard_above_noise(
    heard: NDArray[np.float32],
    hop: int,
    noise: Noise,
    floor_share: float,
    floor_rise: float,
    floor_factor: float,
    reach: int,
    tiny: float,
    out: Array,
) -> tuple[float, float, float, float]:
    """Write the amplitudes above each semitone's noise floor, a short average that falls at once but rises slowly.

    Args:
        heard: (k,) amplitudes of the hop.
        hop: its number.
        noise: changed in place.
        floor_share: share of the hop in the average.
        floor_rise: largest factor by which a floor rises in a hop.
        floor_factor: the floor is subtracted this many times.
        reach: semitones on each side from which notes stand out.
        tiny: smallest floor.
        out: (k,), written.

    Returns:
        The amplitude above the floor, that of all that is heard, the share of its energy that stands out from the
        neighbouring semitones, and the amplitude that is new since `len(noise.sounding)` hops ago.
    """
    k = len(heard)
    average, floor = noise.average, noise.floor
    earlier = noise.sounding[hop % len(noise.sounding)]
    above = loudness = risen = 0.0
    for i in range(k):
        x = np.float64(heard[i])
        if hop == 0:
            average[i] = x
            floor[i] = x
        average[i] += floor_share * (x - average[i])
        floor[i] = max(min(average[i], floor[i] * floor_rise), tiny)
        out[i] = max(x - floor_factor * floor[i], 0.0)
        above += out[i] * out[i]
        loudness += x * x
        new = max(out[i] - earlier[i], 0.0)
        risen += new * new
        earlier[i] = out[i]
    peaks = np.empty(k)
    contrast(heard.astype(np.float64), 1.0, reach, peaks)
    peak_energy = 0.0
    for i in range(k):
        peak_energy += peaks[i] * peaks[i]
    return math.sqrt(above), math.sqrt(loudness), peak_energy / (loudness + tiny * tiny), math.sqrt(risen)


@njit(cache=True)
def observe(
    x: Array,
    level: float,
    hop: int,
    counts: bool,
    counted: int,
    rise: Rise,
    c: Constants,
    overtones: NDArray[np.int64],
    norm_floors: Array,
    parts: NDArray[np.float32],
) -> float:
    """Write the four parts of an observation; return the cosine of its sustain part with that of some hops before.

    Args:
        x: (k,) amplitudes above the noise.
        level: running level.
        hop: number of the hop.
        counts: whether the piano sounds, so that the norms enter their running medians.
        counted: how many hops have counted before.
        rise: changed in place.
        c: constants.
        overtones: semitones from a note to its partials.
        norm_floors: (4,) least median of each part's norm.
        parts: (4, k), written.
    """
    k = len(x)
    loud, sustain, onset, salience = np.empty(k), np.empty(k), np.empty(k), np.empty(k)
    lags = len(rise.compressed)
    newest = rise.compressed[hop % lags]
    quick_before = rise.compressed[(hop - c.onset_lag) % lags].copy()
    slow_before = rise.compressed[(hop - c.swell_lag) % lags].copy()
    for i in range(k):
        loud[i] = math.log1p(c.sustain_gain / level * x[i])
        compressed = math.log1p(c.onset_gain / level * x[i])
        quick = max(compressed - quick_before[i], 0.0) if hop >= c.onset_lag else 0.0
        slow = max(compressed - slow_before[i], 0.0) if hop >= c.swell_lag else 0.0
        rise.onset[i] = max(quick, c.onset_decay * rise.onset[i])
        rise.swell[i] = max(slow, c.swell_decay * rise.swell[i])
        newest[i] = compressed
    contrast(loud, c.contrast, c.reach, sustain)
    contrast(rise.onset, c.contrast, c.reach, onset)
    for i in range(k):
        below = 0.0
        for interval in overtones:
            if i >= interval:
                below = max(below, loud[i - interval])
        salience[i] = max(sustain[i] - c.overtone * below, 0.0)
    _normalised(sustain, 0, counts, counted, rise.norms, c, norm_floors, parts)
    _normalised(onset, 1, counts, counted, rise.norms, c, norm_floors, parts)
    _normalised(rise.swell, 2, counts, counted, rise.norms, c, norm_floors, parts)
    _normalised(salience, 3, counts, counted, rise.norms, c, norm_floors, parts)
    before = rise.sustained[hop % len(rise.sustained)]
    before_energy = energy = product = 0.0
    for i in range(k):
        now = np.float64(parts[0, i])
        before_energy += before[i] * before[i]
        energy += now * now
        product += before[i] * now
        before[i] = now
    scale = math.sqrt(before_energy * energy)
    return product / scale if scale > 0 else 0.0


@njit(cache=True)
def _normalised(
    part: Array,
    row: int,
    counts: bool,
    counted: int,
    norms: Array,
    c: Constants,
    norm_floors: Array,
    parts: NDArray[np.float32],
) -> None:
    """Write `part` divided by its norm and a share of the running median of its norms."""
    energy = 0.0
    for i in range(len(part)):
        energy += part[i] * part[i]
    norm = math.sqrt(energy)
    recent = norms[row]
    if counts:
        recent[counted % len(recent)] = norm
        counted += 1
    n = min(counted, len(recent))
    typical = norm_floors[row]
    if n > 0:
        middle = (n - 1) // 2
        typical = max(typical, np.partition(recent[:n], middle)[middle])
    scale = 1.0 / (norm + c.regular * typical + c.tiny)
    for i in range(len(part)):
        parts[row, i] = np.float32(part[i] * scale)


def warmup() -> None:
    """Compile (or load from numba's cache) every kernel of this file."""
    k = 8
    noise = Noise(np.zeros(k), np.zeros(k), np.zeros((2, k)))
    rise = Rise(np.zeros(k), np.zeros(k), np.zeros((3, k)), np.zeros((2, k)), np.zeros((4, 5)))
    constants = Constants(1.0, 1.0, 2, 3, 0.5, 0.5, 0.5, 0.5, 1, 0.3, 1e-7)
    x = np.ones(k)
    heard_above_noise(x.astype(np.float32), 0, noise, 0.1, 1.1, 2.0, 1, 1e-7, x)
    observe(x, 1.0, 0, True, 0, rise, constants, np.array([2]), np.ones(4), np.zeros((4, k), np.float32))
