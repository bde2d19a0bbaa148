"""The belief over tempo and position at two resolutions, in bounded work per hop.

The *fine* level has one position per frame of the mix, but only in the active blocks, where there is belief worth the
work. The *coarse* level pools some frames, covers the whole mix and makes one step in as many hops; it brings back
positions that the fine level has left: a repeat, a skip, the unknown start of a long movement. A long mix has several
regions, which make their steps in different hops (`pooling`), so that no hop has more to do than another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from follower.inference.pooled_scores import WIDE_BLOCK, PooledScores
from follower.inference.pooling import pool_mean
from follower.kernels import tempo_filter as kernels

BLOCK = 128
"""Frames of the mix that become active or cold together (3 s)."""
MAX_ACTIVE_BLOCKS = 24
"""At most this many blocks are active: 71 s of the mix. Shorter pieces start with everything fine."""
MIN_ACTIVE_SHARE = 1e-5
"""A block holding less than this share of the belief cools down."""
MAX_OTHERS = 3
"""Positions other than the mode that are worth a mention."""
MIN_OTHER_SHARE = 0.05
"""Share of the belief from which on a position is."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one hop does to the belief.

    Attributes:
        weights: (k,) float32; the log likelihood of a frame is their product with its features; 0 without evidence.
        evidence: 0..1, how much this hop counts; 0 leaves out the likelihood.
        tempi: (r,) frames of the mix that each tempo state moves on.
        tempo_gain: (r,) factor on each tempo state's belief.
        diffusion: share to each neighbouring tempo.
        stop_rate: rate at which belief comes to a stand where the mix has piano.
        resume: share of the standing belief that moves on.
        leak: belief spread over all states.
    """

    weights: NDArray[np.float32]
    evidence: float
    tempi: NDArray[np.float64]
    tempo_gain: NDArray[np.float64]
    diffusion: float
    stop_rate: float
    resume: float
    leak: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """Summary of the belief round its mode.

    Attributes:
        frame: mean position, in fractions of a frame.
        tempo: mean tempo of what moves; 0 where nothing does.
        concentration: share of all belief within the wide reach.
        held: share that stands still.
        local: share of the belief within three wide reaches that is within one; 0 without any.
    """

    frame: float
    tempo: float
    concentration: float
    held: float
    local: float


@dataclass(frozen=True, slots=True)
class Reaches:
    """Half widths, in frames, of what `TwoLevelPosterior.estimate` looks at.

    Attributes:
        mode: of the window in which belief is summed to find the mode.
        mean: of the mean round the mode.
        wide: of the concentration round the mode.
    """

    mode: int
    mean: int
    wide: int


@dataclass(frozen=True, slots=True)
class Hold:
    """How the estimate is held against belief elsewhere.

    Attributes:
        jump_log_odds: log odds by which that belief has to outweigh all that is near, to be followed.
        limit: log odds that it may have at most; inf: any, so that it may be followed.
    """

    jump_log_odds: float
    limit: float = math.inf


@dataclass(frozen=True, slots=True)
class Near:
    """Where the estimate has been until now.

    Attributes:
        frame: of the mix.
        reach: frames to both sides that are still near it.
        hold: how the estimate is held against belief round another frame.
    """

    frame: int
    reach: int
    hold: Callable[[int], Hold]


NO_WEIGHTS = np.zeros(0, np.float32)
TINY = 1e-30
MAX_GAIN = 1e6
"""Largest factor in a hop, so that 32 bits do not overflow."""


class _Level:
    """Belief at one resolution, double buffered; its arrays are the kernels' arguments."""

    def __init__(
        self,
        features: NDArray[np.float32] | NDArray[np.int8],
        activity: NDArray[np.float32],
        n_tempi: int,
        block: int,
    ) -> None:
        n = features.shape[1]
        self.n: int = n
        self.block = block
        self._wide_blocks = np.arange(-(-n // WIDE_BLOCK))
        self.features, self.activity = features, activity
        self.moving, self._next_moving = np.zeros((2, n_tempi, n), np.float32)
        self.holding, self._next_holding = np.zeros((2, 1, n), np.float32)
        self.marginal, self._likelihood, self._stop = np.zeros((3, n), np.float32)

    def clear(self) -> None:
        for a in (self.moving, self._next_moving, self.holding, self._next_holding, self.marginal):
            a[:] = 0

    def advance(
        self,
        step: Step,
        log_scale: float | None,
        scale: float,
        prior: NDArray[np.float32],
        phase: NDArray[np.float64],
        blocks: NDArray[np.int64],
        scores: NDArray[np.float32] | None = None,
    ) -> tuple[float, float]:
        """One step in `blocks`, into the next buffers: `swap` or `keep` it.

        Args:
            step: what happens.
            log_scale: taken from the scores; None: their largest.
            scale: factor on the belief before the step.
            prior: (r,) tempi drawn anew.
            phase: (r,) fractions of a position each tempo state has moved; updated.
            blocks: numbers of the blocks, ascending.
            scores: of the positions in `blocks`, which then follow one another; None: computed.

        Returns:
            Log scale, and the mass in the blocks.
        """
        # In wide blocks the sums are the same, and three times quicker than in small ones.
        wide = self._in_wide_blocks(blocks)
        blocks, block = (blocks, self.block) if wide is None else (wide, WIDE_BLOCK)
        top = 0.0
        if step.evidence <= 0:
            kernels.fill(0.0, blocks, block, self._likelihood)
        elif scores is None:
            top = kernels.scores(self.features, step.weights, blocks, block, self._likelihood)
        else:
            self._likelihood[blocks[0] * block : blocks[0] * block + len(scores)] = scores
        log_scale = top if log_scale is None else log_scale
        kernels.likelihoods(self._likelihood, log_scale, blocks, block)
        phase += step.tempi
        shift = np.floor(phase)
        phase -= shift
        furthest = max(int(shift.max()), 1)
        kernels.stop_shares(self.activity, 1 - math.exp(-step.stop_rate), furthest, blocks, block, self._stop)
        total = kernels.advance(
            self.moving,
            self.holding[0],
            scale,
            shift.astype(np.int64),
            step.diffusion,
            self._stop,
            step.resume,
            prior,
            step.tempo_gain.astype(np.float32),
            step.leak,
            self._likelihood,
            blocks,
            block,
            self._next_moving,
            self._next_holding[0],
            self.marginal,
        )
        return log_scale, total

    def _in_wide_blocks(self, blocks: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Numbers of the wide blocks that are the same positions; None where there are none."""
        if len(blocks) == 0:
            return None
        first, end = int(blocks[0]) * self.block, min((int(blocks[-1]) + 1) * self.block, self.n)
        whole = len(blocks) == blocks[-1] - blocks[0] + 1 and first % WIDE_BLOCK == 0
        if not whole or (end % WIDE_BLOCK and end < self.n):
            return None
        return self._wide_blocks[first // WIDE_BLOCK : -(-end // WIDE_BLOCK)]

    def swap(self) -> None:
        """Keep the step made, in whatever blocks it was."""
        self.moving, self._next_moving = self._next_moving, self.moving
        self.holding, self._next_holding = self._next_holding, self.holding

    def keep(self, blocks: NDArray[np.int64]) -> None:
        """Keep the step made in these blocks, which follow one another; the others are as they were."""
        at = slice(int(blocks[0]) * self.block, (int(blocks[-1]) + 1) * self.block)
        self.moving[:, at] = self._next_moving[:, at]
        self.holding[:, at] = self._next_holding[:, at]

    def amplify(self, first: int, end: int, gain: float) -> None:
        """Multiply the belief from `first` to before `end`."""
        for a in (self.moving, self.holding, self.marginal[None]):
            a[:, first:end] *= np.float32(gain)

    def zero(self, blocks: NDArray[np.int64]) -> None:
        """Empty the blocks named, in both buffers."""
        for b in blocks:
            at = slice(int(b) * self.block, (int(b) + 1) * self.block)
            for a in (self.moving, self._next_moving, self.holding, self._next_holding):
                a[:, at] = 0
            self.marginal[at] = 0


class _Sums:
    """What the fine level did since each region's last step on the coarse level, one row for each region."""

    def __init__(self, regions: int, n_tempi: int) -> None:
        self.log_scale = np.zeros(regions)
        self.rates = np.zeros((regions, 4))
        self.tempi = np.zeros((regions, n_tempi))
        self.tempo_gain = np.ones((regions, n_tempi))

    def add(self, step: Step, log_scale: float) -> None:
        self.log_scale += log_scale
        self.rates += (step.evidence, step.diffusion, step.stop_rate, step.leak)
        self.tempi += step.tempi
        self.tempo_gain *= step.tempo_gain
        self.resume = step.resume

    def step(self, region: int, pool: int) -> Step:
        """All hops since the region's last step, as one, without their weights."""
        evidence, diffusion, stop_rate, leak = self.rates[region].tolist()
        return Step(
            weights=NO_WEIGHTS,
            evidence=evidence,
            tempi=self.tempi[region] / pool,
            tempo_gain=self.tempo_gain[region],
            diffusion=min(diffusion, 0.4),
            stop_rate=stop_rate,
            resume=self.resume,
            leak=leak * pool,
        )

    def forget(self, region: int | slice) -> None:
        for a in (self.log_scale, self.rates, self.tempi):
            a[region] = 0
        self.tempo_gain[region] = 1


class TwoLevelPosterior:
    """Belief over (tempo, frame of the mix) and standing still. Bounded work per hop; memory fixed at the start.

    Attributes:
        scores: of the newest hops at each coarse position.
        mode: frame of the mix round which there is most belief.
    """

    def __init__(
        self,
        features: NDArray[np.float32] | NDArray[np.int8],
        pooled: NDArray[np.float32] | NDArray[np.int8],
        activity: NDArray[np.float32],
        tempi: NDArray[np.float64],
        tempo_prior: NDArray[np.float32],
    ) -> None:
        """Start with belief everywhere.

        Args:
            features: (k, n) float32 or int8, n >= 1, of the mix.
            pooled: their `pool_mean` over the pool that `Regions` has for n frames.
            activity: (n,) float32, 0..1, whether the mix has piano.
            tempi: (r,) frames of the mix per live frame of each tempo state, ascending.
            tempo_prior: (r,) sums to 1.
        """
        self._tempi = tempi
        self._prior = tempo_prior
        n = features.shape[1]
        self.scores = PooledScores(pooled, n)
        pool = self._pool = self.scores.regions.pool
        self._fine = _Level(features, activity, len(tempi), BLOCK)
        self._coarse = _Level(pooled, pool_mean(activity[None], pool)[0], len(tempi), BLOCK // pool)
        self._n_blocks = -(-n // BLOCK)
        region_blocks = self.scores.regions.positions // (BLOCK // pool)
        self._region_blocks = [
            np.arange(first, min(first + region_blocks, self._n_blocks))
            for first in range(0, self._n_blocks, region_blocks)
        ]
        self._sums = _Sums(len(self._region_blocks), len(tempi))
        self._fine_phase = np.zeros(len(tempi))
        self._coarse_phase = np.zeros((len(self._region_blocks), len(tempi)))
        self._mass = np.zeros(self._n_blocks)
        self._active = np.empty(0, np.int64)
        self.expect(np.full(n, 1 / n))

    @property
    def n_frames(self) -> int:
        """Frames of the mix."""
        return self._fine.n

    @property
    def active_frames(self) -> int:
        """Frames evaluated finely in the next hop: the measure of work."""
        return len(self._active) * BLOCK

    @property
    def coarse_positions(self) -> int:
        """Coarse positions evaluated in a hop, at most: the other measure of work."""
        return max(len(blocks) for blocks in self._region_blocks) * self._coarse.block

    def expect(self, positions: NDArray[np.float64]) -> None:
        """Replace all belief by `positions` (n,), which sums to 1, at tempi from the prior."""
        self._fine.zero(self._active)  # not all of it: what was never touched takes no memory
        self._coarse.clear()
        self._fine_phase[:] = 0
        self._coarse_phase[:] = 0
        everywhere = np.arange(self._n_blocks)
        pooled = np.empty((1, self._coarse.n), np.float32)
        kernels.pool_blocks(positions[None].astype(np.float32), 1.0, self._pool, everywhere, BLOCK, pooled)
        np.multiply(self._prior[:, None], pooled, out=self._coarse.moving)
        np.sum(self._coarse.moving, axis=0, out=self._coarse.marginal)
        kernels.block_sums(self._coarse.marginal, self._coarse.block, self._mass)
        self._sums.forget(slice(None))
        self.scores.reset()
        self._total = self._whole = float(np.sum(self._mass))
        self._hot = np.zeros(self._n_blocks, np.bool_)
        self._active = np.empty(0, np.int64)
        self._choose_active(slice(None))
        cold = np.where(self._hot, 0.0, self._mass)
        inside = max(float(np.sum(self._mass[self._active])), TINY)
        self._outside = np.array([np.sum(cold[b]) for b in self._region_blocks]) / inside
        self.mode = int(np.argmax(positions))
        self._others: tuple[tuple[int, float], ...] = ()

    def gather(self, tempo: float, share: float) -> None:
        """Let `share` of the belief take the tempo state nearest to `tempo` (frames of the mix per hop)."""
        nearest = int(np.argmin(np.abs(np.log(self._tempi / tempo))))
        kernels.gather_tempo(self._fine.moving, nearest, share, self._active, BLOCK)

    def blur(self, reach: int) -> None:
        """Spread the belief evenly over +-`reach` frames."""
        kernels.blur_blocks(self._fine.moving, reach, self._active, BLOCK)
        kernels.blur_blocks(self._fine.holding, reach, self._active, BLOCK)

    def insert(self, frame: int, reach: int, share: float, tempi: NDArray[np.float64]) -> None:
        """Put `share` of all belief round a frame, in a bell of standard deviation `reach`, at `tempi` (r,), sum 1."""
        first, end = max(frame - 3 * reach, 0), min(frame + 3 * reach + 1, self.n_frames)
        blocks = np.arange(first // BLOCK, -(-end // BLOCK))
        self._heat(blocks[~self._hot[blocks]])
        self._hot[blocks] = True
        self._active = np.flatnonzero(self._hot)
        bell = np.exp(-0.5 * ((np.arange(first, end) - frame) / reach) ** 2)
        mass = self._total * share / (1 - share)
        added = (mass * tempi[:, None] * (bell / bell.sum())).astype(np.float32)
        self._fine.moving[:, first:end] += added
        self._fine.marginal[first:end] += added.sum(axis=0)
        self._grow(mass)

    def _grow(self, mass: float) -> None:
        """Account for mass that was added to the fine level: all else is less likely for it."""
        self._sums.log_scale += math.log1p(mass / self._total)
        self._total += mass

    def advance(self, step: Step) -> None:
        """Take one hop."""
        scale = 1 / self._total
        log_scale, self._total = self._fine.advance(step, None, scale, self._prior, self._fine_phase, self._active)
        self._fine.swap()
        self._sums.add(step, log_scale + math.log(max(self._total, 1e-300)))
        self.scores.add(step.weights)
        for region in self.scores.due:
            self._synchronise(region)

    def _synchronise(self, region: int) -> None:
        """Advance a region of the coarse level over the hops since it did; let each level take over from the other.

        What the coarse level holds is relative to all that the fine level holds.
        """
        fine, coarse, blocks = self._fine, self._coarse, self._region_blocks[region]
        step, log_scale = self._sums.step(region, self._pool), float(self._sums.log_scale[region])
        scores = self.scores.values[self.scores.part(region)]
        coarse.advance(step, log_scale, 1.0, self._prior, self._coarse_phase[region], blocks, scores)
        coarse.keep(blocks)
        at = slice(int(blocks[0]), int(blocks[-1]) + 1)
        here = blocks[self._hot[at]]
        for a, b in ((fine.moving, coarse.moving), (fine.holding, coarse.holding)):
            kernels.pool_blocks(a, 1 / self._total, self._pool, here, BLOCK, b)
        kernels.pool_blocks(fine.marginal[None], 1 / self._total, self._pool, here, BLOCK, coarse.marginal[None])
        positions = slice(at.start * coarse.block, at.stop * coarse.block)
        kernels.block_sums(coarse.marginal[positions], coarse.block, self._mass[at])
        kernels.sums_in(fine.marginal, 1 / self._total, self._active, BLOCK, self._mass)
        self._outside[region] = np.sum(self._mass[at], where=~self._hot[at])
        self._whole = 1.0 + float(np.sum(self._outside))
        self._total *= self._whole
        self._sums.forget(region)
        self._sums.log_scale += math.log(self._whole)
        gained = self._choose_active(at)
        self._outside[region] = np.sum(self._mass[at], where=~self._hot[at])
        self._outside /= max(1.0 + gained, TINY)

    def _choose_active(self, blocks: slice) -> float:
        """Of these blocks and those that are, make active what has most belief or what its belief moves into.

        Returns:
            Mass that becomes active, less what does no more.
        """
        wanted = self._mass.copy()
        np.maximum(wanted[1:], self._mass[:-1], out=wanted[1:])
        may = self._hot.copy()
        may[blocks] = True
        least = min(MIN_ACTIVE_SHARE * self._whole, float(np.max(wanted, where=may, initial=0.0)))
        active = np.flatnonzero(may & (wanted >= least))
        if len(active) > MAX_ACTIVE_BLOCKS:
            active = np.sort(active[np.argsort(-wanted[active], kind="stable")[:MAX_ACTIVE_BLOCKS]])
        if np.array_equal(active, self._active):
            return 0.0
        before, self._hot = self._hot, np.zeros(self._n_blocks, np.bool_)
        self._hot[active] = True
        self._active = active
        cooled, heated = np.flatnonzero(before & ~self._hot), np.flatnonzero(self._hot & ~before)
        self._fine.zero(cooled)
        self._heat(heated)
        return float(np.sum(self._mass[heated]) - np.sum(self._mass[cooled]))

    def _heat(self, blocks: NDArray[np.int64]) -> None:
        """Begin the fine level in these blocks with what the coarse one has there."""
        fine, coarse = self._fine, self._coarse
        scale = self._total / self._whole
        kernels.spread_blocks(coarse.moving, scale, self._pool, blocks, BLOCK, fine.moving)
        kernels.spread_blocks(coarse.holding, scale, self._pool, blocks, BLOCK, fine.holding)
        kernels.spread_blocks(coarse.marginal[None], scale, self._pool, blocks, BLOCK, fine.marginal[None])

    def estimate(self, reaches: Reaches, near: Near | None = None) -> Estimate:
        """Find the mode and summarise the belief round it.

        With `near`, the mode is looked for there first: belief elsewhere has to outweigh it clearly.
        """
        fine = self._fine
        self.mode = kernels.densest_in(fine.marginal, reaches.mode, self._active, BLOCK)
        if near is not None and abs(self.mode - near.frame) > near.reach:
            self._stay(reaches, near)
        around = fine.marginal[max(self.mode - 3 * reaches.wide, 0) : self.mode + 3 * reaches.wide + 1]
        share = float(np.sum(around)) / self._total
        frame, tempo, concentration, held = kernels.summarise(
            fine.moving,
            fine.holding[0],
            fine.marginal,
            self._total,
            self._tempi,
            self.mode,
            reaches.mean,
            reaches.wide,
        )
        return Estimate(frame, tempo, concentration, held, min(concentration / share, 1.0) if share > 0 else 0.0)

    def others(self, reach: int) -> tuple[tuple[int, float], ...]:
        """Positions (frames) further than `reach` from the mode and each other, with the share of the belief they hold.

        The likeliest first. Of the coarse level: anew whenever all of that has made a step.
        """
        if self.scores.hop == self._pool:
            self._others = self._find_others(reach)
        return self._others

    def _find_others(self, reach: int) -> tuple[tuple[int, float], ...]:
        belief, near = self._coarse.marginal.copy(), max(reach // self._pool, 1)
        found: list[tuple[int, float]] = []
        at = self.mode // self._pool
        for _ in range(MAX_OTHERS):
            belief[max(at - 2 * near, 0) : at + 2 * near + 1] = 0
            at = kernels.densest(belief, near)
            first = max(at - near, 0)
            window = belief[first : at + near + 1].astype(np.float64)
            share = float(np.sum(window)) / self._whole
            if share < MIN_OTHER_SHARE:
                break
            at = first + round(float(np.average(np.arange(len(window)), weights=window)))
            found.append((min(at * self._pool + self._pool // 2, self.n_frames - 1), min(share, 1.0)))
        return tuple(found)

    def _stay(self, reaches: Reaches, near: Near) -> None:
        """Take the mode near `near.frame`, unless the belief at the mode found elsewhere outweighs it and may.

        Belief elsewhere that may not win is kept from winning by ever more: what is near gains what it lacks.
        """
        first = min(max(near.frame - near.reach, 0), self.n_frames - 1)
        end = min(max(near.frame + near.reach, first) + 1, self.n_frames)
        cold = self._cold_mass(first, end)
        here = float(np.sum(self._fine.marginal[first:end])) + sum(cold.values()) * self._total / self._whole
        there = float(np.sum(self._fine.marginal[max(self.mode - reaches.wide, 0) : self.mode + reaches.wide + 1]))
        elsewhere, self.mode = self.mode, first + kernels.densest(self._fine.marginal[first:end], reaches.mode)
        if there <= here:
            return
        hold = near.hold(elsewhere)
        if hold.limit == math.inf and there >= here * math.exp(hold.jump_log_odds):
            self.mode = elsewhere
        elif there > here * math.exp(hold.limit):
            gain = min(there / max(here * math.exp(hold.limit), TINY), MAX_GAIN)
            self._fine.amplify(first, end, gain)
            self._coarse.amplify(first // self._pool, -(-end // self._pool), gain)
            self._grow(here * (gain - 1))
            for block, mass in cold.items():
                self._outside[block // len(self._region_blocks[0])] += mass * (gain - 1)

    def _cold_mass(self, first: int, end: int) -> dict[int, float]:
        """What the coarse level alone holds from `first` to before `end`: mass by block."""
        cold = {}
        for block in range(first // BLOCK, -(-end // BLOCK)):
            if not self._hot[block]:
                a, b = max(first, block * BLOCK), min(end, (block + 1) * BLOCK)
                cold[block] = float(np.sum(self._coarse.marginal[a // self._pool : -(-b // self._pool)]))
        return cold
