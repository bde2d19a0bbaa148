"""Settings of the PO-O alignment. The defaults are the measured choice (benchmarks/README.md, "PO-O map")."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from offline_prep.alignment.features import FeatureShape
from offline_prep.alignment.path import SegmentRule


def _geometric(low: float, high: float, count: int) -> tuple[float, ...]:
    return tuple(float(v) for v in np.geomspace(low, high, count))


@dataclass(frozen=True)
class StageConfig:
    """One pass of the alignment.

    Attributes:
        shape: how it reads the pitchgram.
        rule: what its path may do.
        softness: see `shape_features`, of the orchestra recording.
        harmony: weight of the harmony part of the cost.
        onset: weight of the onset part of the cost.
        margin: added to every local cost.
    """

    shape: FeatureShape
    rule: SegmentRule
    softness: float = 0.0
    harmony: float = 1.0
    onset: float = 1.0
    margin: float = 0.0


@dataclass(frozen=True)
class GapConfig:
    """Costs of the coarse stage's gap state, in units of the median local cost (a row or column is 93 ms).

    An optimised path through unrelated music costs .90-.93 of the median, so the stage's `margin` is added to matched
    cells; then waiting costs next to nothing, and a cut is free to be long.

    Attributes:
        wait: cost per mix row while the orchestra recording waits at a sounding column.
        wait_quiet: cost per mix row while the orchestra recording waits at a silent column.
        enter: cost of a gap that begins at a sounding column.
        enter_quiet: cost of a gap that begins at a silent column.
        skip: cost per sounding orchestra column passed over: what the orchestra plays is nearly always in the mix too.
        skip_quiet: cost per silent orchestra column passed over.
        quiet_db: silent means this far under the 90th percentile of the level.
        min_chain_s: matched pieces shorter than this are dropped at both ends.
        merge_s: neighbouring pieces are joined when their gaps in the two recordings differ by less than this.
    """

    wait: float = 0.02
    wait_quiet: float = 0.0
    enter: float = 7.0
    enter_quiet: float = 4.5
    skip: float = 0.04
    skip_quiet: float = 0.0
    quiet_db: float = -30.0
    min_chain_s: float = 4.0
    merge_s: float = 5.0


@dataclass(frozen=True)
class PreciseWeights:
    """What the precise pass compares: inner products and their weights (`onset_network.compare_onsets`), and more.

    Attributes:
        network: weight of the onsets that the network detects, both channels.
        harmony: weight of the harmony part.
        onset: weight of the onset part, plain rises of level.
        alignment: weight of what `alignment_network` says, which has harmony and rises of its own. 1: log odds as they
            are; both networks are added because each errs where the other does not.
    """

    network: float = 0.9
    harmony: float = 0.1
    onset: float = 1.0
    alignment: float = 1.0


@dataclass(frozen=True)
class AttackDelayConfig:
    """How the length of attacks moves the map (`attack_delay`); fitted by `attack_delay_fit.py` of the benchmarks.

    Attributes:
        orchestra: how much later a rise of the orchestra recording is seen per second that its middle half lasts.
        mix: how much later a rise of the mix is seen per second that its middle half lasts.
        window_s: standard deviation of the window over which lengths are averaged.
        steady_rises: number of rises that weigh as much as the prior, which is the pair's mean for a window, and no
            attack delay for a pair.
        max_shift_s: maximum shift of the map.
    """

    orchestra: float = 1.1
    mix: float = 0.92
    window_s: float = 10.0
    steady_rises: float = 100.0
    max_shift_s: float = 0.1


@dataclass(frozen=True)
class AlignConfig:
    """Settings of `offline_prep.alignment.align.align_recordings`.

    Attributes:
        coarse: the pass over everything, with gaps.
        fine: the pass round the coarse path.
        precise: the pass round the fine path, with the mean over all paths; its weights are for the boundaries and the
            confidence, its own pass has `precise_weights`.
        precise_weights: see `PreciseWeights`.
        gap: see `GapConfig`.
        attack_delay: see `AttackDelayConfig`.
        fine_reach_s: the fine pass looks this far to both sides of the coarse path.
        chain_reach_s: the fine pass looks this far beyond both ends of a chain.
        precise_reach_s: the precise pass looks this far to both sides of the fine path.
        precise_sharpness: log likelihood ratio of a cost difference of 1 in the precise pass.
        transpositions: semitones tried for the orchestra recording.
        max_full_cells: coarse matrices with more cells are banded round an overview path.
        band_s: half width of the band round an overview path.
    """

    coarse: StageConfig = field(
        default_factory=lambda: StageConfig(
            FeatureShape(pool=8, gamma=100.0, smooth_s=0.2, rise_frames=9),
            SegmentRule(rows=10, slopes=_geometric(0.4, 2.5, 24), stiffness=0.45, slope_cost=0.1, slope_free=0.45),
            softness=0.3,
            margin=0.07,
        )
    )
    fine: StageConfig = field(
        default_factory=lambda: StageConfig(
            FeatureShape(pool=1, gamma=1000.0, smooth_s=0.05, rise_frames=3),
            SegmentRule(rows=43, slopes=_geometric(0.35, 2.8, 40), stiffness=1.0),
        )
    )
    precise: StageConfig = field(
        default_factory=lambda: StageConfig(
            FeatureShape(pool=1, gamma=1000.0, smooth_s=0.05, rise_frames=6),
            SegmentRule(rows=43, slopes=_geometric(0.35, 2.8, 40), stiffness=0.5),
            onset=2.5,
        )
    )
    precise_weights: PreciseWeights = field(default_factory=PreciseWeights)
    gap: GapConfig = field(default_factory=GapConfig)
    attack_delay: AttackDelayConfig = field(default_factory=AttackDelayConfig)
    fine_reach_s: float = 0.7
    chain_reach_s: float = 2.0
    precise_reach_s: float = 0.3
    precise_sharpness: float = 1.0
    transpositions: tuple[int, ...] = (-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6)
    max_full_cells: int = 64_000_000
    band_s: float = 30.0
