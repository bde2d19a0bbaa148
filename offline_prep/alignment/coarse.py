"""Coarse stages of the PO-O map: which parts of the recordings belong together, and at what transposition."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening, uniform_filter1d

from offline_prep.alignment.config import AlignConfig, GapConfig, StageConfig
from offline_prep.alignment.features import HOP_S, Comparison, Features, compare, shape_features
from offline_prep.alignment.path import GapCosts, Path, SegmentRule, best_path

OVERVIEW_FRAMES = 800
"""Longer side of the overview's matrix."""
QUIET_LEVEL_S = 0.3
QUIET_MIN_S = 0.8
JOIN_SLOPES = (0.5, 2.0)


@dataclass(frozen=True)
class Chain:
    """A piece of both recordings that belongs together: knots in seconds, mix strictly ascending."""

    mix_s: NDArray[np.float64]
    orchestra_s: NDArray[np.float64]


@dataclass(frozen=True)
class Overview:
    """A very coarse alignment at one transposition of the orchestra recording.

    Attributes:
        transposition: semitones by which the orchestra recording is taken higher than it sounds.
        score: score of the path, see `Path`.
        chains: matched pieces of the path.
    """

    transposition: int
    score: float
    chains: tuple[Chain, ...]


def quiet_frames(rms: NDArray[np.float32], quiet_db: float) -> NDArray[np.bool_]:
    """Pitchgram frames at which a recording is silent but for its room: shape of rms."""
    power = uniform_filter1d(np.square(rms, dtype=np.float64), max(1, round(QUIET_LEVEL_S / HOP_S)))
    level = 10.0 * np.log10(power + 1e-12)
    quiet = level < np.percentile(level, 90) + quiet_db
    return np.asarray(binary_opening(quiet, np.ones(round(QUIET_MIN_S / HOP_S))), dtype=np.bool_)


def gap_costs(quiet: NDArray[np.bool_], columns: int, pool: int, config: GapConfig, scale: float = 1.0) -> GapCosts:
    """Gap costs per pooled column; `scale` converts costs per coarse frame to frames `scale` times as long."""
    padded = np.zeros(columns * pool, dtype=np.float32)
    padded[: min(len(quiet), len(padded))] = quiet[: len(padded)]
    still = padded.reshape(columns, pool).mean(axis=1) > 0.5
    return GapCosts(
        wait=np.where(still, config.wait_quiet, config.wait).astype(np.float32),
        enter=(np.where(still, config.enter_quiet, config.enter) / scale).astype(np.float32),
        skip=np.where(still, config.skip_quiet, config.skip).astype(np.float32),
    )


def overview(
    mix: NDArray[np.float32], orchestra: NDArray[np.float32], quiet: NDArray[np.bool_], config: AlignConfig
) -> tuple[Overview, ...]:
    """Align pooled pitchgrams at every transposition; best first."""
    base = config.coarse.shape
    pool = max(base.pool, -(-max(len(mix), len(orchestra)) // OVERVIEW_FRAMES))
    shape = replace(base, pool=pool, smooth_s=max(base.smooth_s, pool * HOP_S))
    rule = replace(config.coarse.rule, rows=max(4, round(config.coarse.rule.rows * base.pool / pool)))
    m = shape_features(mix, shape, 0.0)
    o = shape_features(orchestra, shape, config.coarse.softness)
    gap = gap_costs(quiet, len(o.harmony), pool, config.gap, scale=pool / base.pool)
    found = []
    for shift in config.transpositions:
        comparison = compare(m, transpose(o, shift), config.coarse.harmony, config.coarse.onset)
        comparison = replace(comparison, offset=comparison.offset + config.coarse.margin)
        path = best_path(comparison, rule, *full_band(comparison, rule), gap)
        found.append(Overview(shift, path.score, to_chains(path, comparison.hop_s)))
    return tuple(sorted(found, key=lambda v: -v.score))


def distinctness(views: tuple[Overview, ...]) -> float:
    """Score of the best overview over that of the best one more than a semitone away from it."""
    best = views[0]
    others = [v.score for v in views if abs(v.transposition - best.transposition) > 1]
    return best.score / max(max(others, default=0.0), 1e-3)


def transpose(features: Features, semitones: int) -> Features:
    """Features of the same recording sounding `semitones` higher; what falls off the range is lost."""
    if semitones == 0:
        return features
    return Features(_shift(features.harmony, semitones), _shift(features.onset, semitones), features.hop_s)


def _shift(rows: NDArray[np.float32], semitones: int) -> NDArray[np.float32]:
    out = np.zeros_like(rows)
    if semitones > 0:
        out[:, semitones:] = rows[:, :-semitones]
    else:
        out[:, :semitones] = rows[:, -semitones:]
    return out


def full_band(comparison: Comparison, rule: SegmentRule) -> tuple[NDArray[np.int64], int]:
    """The band that leaves nothing out."""
    return np.zeros(len(comparison.mix) // rule.rows + 1, dtype=np.int64), len(comparison.orchestra)


def band_round(
    chains: tuple[Chain, ...], comparison: Comparison, rule: SegmentRule, half_width_s: float
) -> tuple[NDArray[np.int64], int]:
    """A band of +-half_width_s round chains, wide enough to hold every jump between them."""
    nodes = len(comparison.mix) // rule.rows + 1
    time = np.arange(nodes) * rule.rows * comparison.hop_s
    low, high = np.full(nodes, np.inf), np.full(nodes, -np.inf)
    for chain in chains:
        inside = slice(*np.searchsorted(time, [chain.mix_s[0] - half_width_s, chain.mix_s[-1] + half_width_s]))
        at = np.interp(time[inside], chain.mix_s, chain.orchestra_s)
        low[inside], high[inside] = np.minimum(low[inside], at), np.maximum(high[inside], at)
    known = np.flatnonzero(np.isfinite(low))
    nearest = known[np.abs(np.arange(nodes)[:, None] - known).argmin(axis=1)] if len(known) < nodes else known
    low, high = low[nearest] - half_width_s, high[nearest] + half_width_s
    width = min(len(comparison.orchestra), int((high - low).max() / comparison.hop_s) + 1)
    first = np.clip(low / comparison.hop_s, 0, len(comparison.orchestra) - width).astype(np.int64)
    return first, width


def coarse_path(
    mix: Features, orchestra: Features, quiet: NDArray[np.bool_], around: tuple[Chain, ...], config: AlignConfig
) -> tuple[Path, tuple[Chain, ...]]:
    """The coarse path with gaps; banded round `around` where the whole matrix would be too large."""
    stage: StageConfig = config.coarse
    comparison = compare(mix, orchestra, stage.harmony, stage.onset)
    comparison = replace(comparison, offset=comparison.offset + stage.margin)
    gap = gap_costs(quiet, len(comparison.orchestra), stage.shape.pool, config.gap)
    if len(comparison.mix) * len(comparison.orchestra) <= config.max_full_cells or not around:
        first, width = full_band(comparison, stage.rule)
    else:
        first, width = band_round(around, comparison, stage.rule, config.band_s)
    path = best_path(comparison, stage.rule, first, width, gap)
    return path, join_chains(to_chains(path, comparison.hop_s), config.gap)


def to_chains(path: Path, hop_s: float) -> tuple[Chain, ...]:
    """Frames to seconds."""
    return tuple(Chain(*(hop_s * c.T.astype(np.float64))) for c in path.chains)


def join_chains(chains: tuple[Chain, ...], config: GapConfig) -> tuple[Chain, ...]:
    """Drop short chains at both ends; join neighbours whose gap is about as long in both recordings."""
    kept = list(chains)
    while len(kept) > 1 and _length(kept[0]) < config.min_chain_s:
        kept.pop(0)
    while len(kept) > 1 and _length(kept[-1]) < config.min_chain_s:
        kept.pop()
    out: list[Chain] = kept[:1]
    for chain in kept[1:]:
        last = out[-1]
        in_mix = chain.mix_s[0] - last.mix_s[-1]
        in_orchestra = chain.orchestra_s[0] - last.orchestra_s[-1]
        if abs(in_mix - in_orchestra) < config.merge_s:
            out[-1] = _join(last, chain)
        else:
            out.append(chain)
    return tuple(out)


def _join(a: Chain, b: Chain) -> Chain:
    """One chain of two; knots at the boundary are given up until the connection is no steeper than music gets."""
    i, j = len(a.mix_s), 0
    while i > 1 and j < len(b.mix_s) - 1:
        rise, run = b.orchestra_s[j] - a.orchestra_s[i - 1], b.mix_s[j] - a.mix_s[i - 1]
        if run > 0.0 and JOIN_SLOPES[0] <= rise / run <= JOIN_SLOPES[1]:
            break
        if i - 1 > len(b.mix_s) - j:
            i -= 1
        else:
            j += 1
    return Chain(np.concatenate([a.mix_s[:i], b.mix_s[j:]]), np.concatenate([a.orchestra_s[:i], b.orchestra_s[j:]]))


def _length(chain: Chain) -> float:
    return float(chain.mix_s[-1] - chain.mix_s[0])
