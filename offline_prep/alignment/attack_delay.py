"""How late attacks make each recording look, taken out of the PO-O map.

The map matches rises of energy; a note's rise is seen late by an amount that depends on its attack: strings that swell
are 60 ms late where a piano is 10 ms early.  A pair's map is off by the difference of the attack delays (on 46 rendered
pairs with known notes: correlation .7, slope 1.0, between the map's median error and the difference of the mean times
from note-on to half rise).  The note-on leaves no trace in the sound, but the length of the rise does, and the delay
grows with it.  So rises that both recordings have at the same pitch are measured in each, from a quarter to three
quarters of the way, and the map is moved by `orchestra * rise in O - mix * rise in PO` (benchmarks/README.md, "Bias").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, uniform_filter1d

from offline_prep.alignment.coarse import Chain
from offline_prep.alignment.config import AttackDelayConfig
from offline_prep.alignment.features import HOP_S, compress

GAMMA = 1000.0
"""Log compression of the levels, as in the fine stages of the alignment."""
STEP_FRAMES = 14
"""A rise is a step between the means over this many frames (160 ms) before and after it."""
STEP_GAP_FRAMES = 3
"""Frames left out before and after a rise, so that slow attacks do not escape."""
MIN_STEP = 1.2
"""Minimum gain of log-compressed level of a rise in the orchestra recording."""
MIN_MIX_STEP = 0.6
"""Minimum gain of log-compressed level of a rise in the mix, where the piano covers some of it."""
PEAK_FRAMES = 25
REACH_FRAMES = 12
"""The mix's rise is looked for this far (140 ms) from where the map has it."""
BEFORE_FRAMES, AFTER_FRAMES = 20, 50
"""Excerpt round a rise.  The lowest level of frames -16..-1 is where it starts; the mean of the eight highest of
frames 4..39 is where it ends."""
MAX_RISE_S = 0.25
BIN_S = 1.0


@dataclass(frozen=True)
class Rises:
    """Rises both recordings have at the same pitch, in the order of the mix; all of shape (n,).

    Attributes:
        mix_s: instant in the mix, by the map.
        orchestra_rise_s: time from 25 to 75 % of the rise, in the orchestra recording.
        mix_rise_s: time from 25 to 75 % of the rise, in the mix.
    """

    mix_s: NDArray[np.float64]
    orchestra_rise_s: NDArray[np.float64]
    mix_rise_s: NDArray[np.float64]


def correct(
    chains: tuple[Chain, ...], mix: NDArray[np.float32], orchestra: NDArray[np.float32], config: AttackDelayConfig
) -> tuple[Chain, ...]:
    """Chains with the estimated attack delay taken out; the mix side and the order of both sides stay.

    Args:
        chains: matched pieces, one or more.
        mix: pitchgram of the mix, (frames, 72).
        orchestra: pitchgram of the orchestra recording, (frames, 72).
        config: see `AttackDelayConfig`.
    """
    rises = find_rises(chains, mix, orchestra)
    return tuple(
        Chain(c.mix_s, np.maximum.accumulate(c.orchestra_s - attack_delay(rises, c.mix_s, config))) for c in chains
    )


def attack_delay(rises: Rises, mix_s: NDArray[np.float64], config: AttackDelayConfig) -> NDArray[np.float64]:
    """Seconds by which the map has the orchestra too late at mix seconds `mix_s`, same shape.

    The mean lengths of the rises near by, drawn to those of the whole pair; 0 for few rises.
    """
    count = len(rises.mix_s)
    if count == 0:
        return np.zeros(len(mix_s))
    first = float(rises.mix_s.min())
    which = ((rises.mix_s - first) / BIN_S).astype(np.int64)
    spread = config.window_s / BIN_S
    weight = float(np.sqrt(2.0 * np.pi)) * spread

    def near(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.bincount(which, values).astype(np.float64)
        smooth: NDArray[np.float64] = weight * gaussian_filter1d(sums, spread, mode="constant")
        return smooth

    events = near(np.ones(count))
    late = np.zeros(len(events))
    for coefficient, rise in ((config.orchestra, rises.orchestra_rise_s), (-config.mix, rises.mix_rise_s)):
        mean = (near(rise) + config.steady_rises * rise.mean()) / (events + config.steady_rises)
        late += coefficient * mean
    late *= count / (count + config.steady_rises)
    centre = first + BIN_S * (np.arange(len(late)) + 0.5)
    moved: NDArray[np.float64] = np.interp(mix_s, centre, np.clip(late, -config.max_shift_s, config.max_shift_s))
    return moved


def find_rises(chains: tuple[Chain, ...], mix: NDArray[np.float32], orchestra: NDArray[np.float32]) -> Rises:
    """Rises of the orchestra recording that the mix has within 140 ms of their position by the map; may be none."""
    o_level, mix_level = compress(orchestra, GAMMA), compress(mix, GAMMA)
    frame, pitch = _steps(o_level)
    mix_s = np.full(len(frame), np.nan)
    for chain in chains:
        moving = np.concatenate([[True], np.diff(chain.orchestra_s) > 1e-6])
        at, knots = frame * HOP_S, chain.orchestra_s[moving]
        inside = (at > knots[0]) & (at < knots[-1])
        mix_s[inside] = np.interp(at[inside], knots, chain.mix_s[moving])
    margin = REACH_FRAMES + max(BEFORE_FRAMES, AFTER_FRAMES)
    mix_frame = np.round(np.nan_to_num(mix_s, nan=-1.0) / HOP_S).astype(np.int64)
    inside = (mix_frame >= margin) & (mix_frame < len(mix_level) - margin)
    frame, pitch, mix_s, mix_frame = frame[inside], pitch[inside], mix_s[inside], mix_frame[inside]
    shift = np.arange(-REACH_FRAMES, REACH_FRAMES + 1)
    near = _step(mix_level)[mix_frame[:, None] + shift, pitch[:, None]]
    both = near.max(axis=1, initial=0.0) > MIN_MIX_STEP
    mix_frame = mix_frame[both] + shift[near[both].argmax(axis=1)]
    frame, pitch, mix_s = frame[both], pitch[both], mix_s[both]
    order = np.argsort(mix_s, kind="stable")
    return Rises(
        mix_s[order],
        _rise_s(o_level, frame[order], pitch[order]),
        _rise_s(mix_level, mix_frame[order], pitch[order]),
    )


def _step(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean level shortly after less mean level shortly before each frame; 0 at the ends. Same shape."""
    mean = uniform_filter1d(level, STEP_FRAMES, axis=0)
    half, reach = STEP_FRAMES // 2, STEP_GAP_FRAMES + STEP_FRAMES
    step = np.zeros_like(level)
    if len(level) > 2 * reach:
        after = mean[reach + STEP_GAP_FRAMES + half : len(level) - reach + STEP_GAP_FRAMES + half]
        step[reach : len(level) - reach] = after - mean[half : len(level) - 2 * reach + half]
    return step


def _steps(level: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(frame, row) of the rises: largest step in time and of the three neighbouring pitches."""
    step = _step(level)
    peak = (step > MIN_STEP) & (step == maximum_filter1d(step, PEAK_FRAMES, axis=0))
    peak &= step == maximum_filter1d(step, 3, axis=1)
    margin = max(BEFORE_FRAMES, AFTER_FRAMES)
    peak[:margin] = False
    peak[max(0, len(level) - margin) :] = False
    frame, pitch = np.nonzero(peak)
    return frame, pitch


def _rise_s(level: NDArray[np.float32], frame: NDArray[np.int64], pitch: NDArray[np.int64]) -> NDArray[np.float64]:
    """Seconds from a quarter to three quarters of each rise, 0.25 or less; shape of `frame`."""
    around = level[frame[:, None] + np.arange(-BEFORE_FRAMES, AFTER_FRAMES), pitch[:, None]]
    start = 4 + around[:, 4:BEFORE_FRAMES].argmin(axis=1)
    low = around[np.arange(len(around)), start]
    high = np.partition(around[:, BEFORE_FRAMES + 4 : BEFORE_FRAMES + 40], -8, axis=1)[:, -8:].mean(axis=1)
    share = (around - low[:, None]) / np.maximum(high - low, 1e-6)[:, None]
    share[np.arange(around.shape[1]) <= start[:, None]] = 0.0
    quarter, three_quarters = _crossing(share, 0.25), _crossing(share, 0.75)
    return np.asarray(np.clip((three_quarters - quarter) * HOP_S, 0.0, MAX_RISE_S), dtype=np.float64)


def _crossing(share: NDArray[np.float32], value: float) -> NDArray[np.float64]:
    """Fractional frame at which each row first reaches a value."""
    k = np.maximum((share >= value).argmax(axis=1), 1)
    row = np.arange(len(share))
    before, after = share[row, k - 1].astype(np.float64), share[row, k].astype(np.float64)
    at: NDArray[np.float64] = k - 1 + np.clip((value - before) / np.maximum(after - before, 1e-6), 0.0, 1.0)
    return at
