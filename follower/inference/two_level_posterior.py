"""The belief over tempo and position at two resolutions, in bounded work per hop.

The *fine* level has one position per frame of the mix, but only in the active blocks, where there is belief worth the
work. The *coarse* level pools `POOL` frames, covers the whole mix and makes one step every `POOL` hops; it brings
back positions that the fine level has left: a repeat, a skip, the unknown start of a long movement.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from follower.inference.pooling import POOL, pool_mean
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
        weights: (4 * 88,) float32; the log likelihood of a frame is their product with its features.
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


TINY = 1e-30
MAX_GAIN = 1e6
"""Largest factor in a hop, so that 32 bits do not overflow."""

WIDE_BLOCK = 512
"""Positions per block where all positions are scored: a row of it fits the processor's first cache."""


class _Level:
    """Belief at one resolution, double buffered; its arrays are the kernels' arguments."""

    def __init__(self, features: NDArray[np.float32], activity: NDArray[np.float32], n_tempi: int, block: int) -> None:
        n = features.shape[1]
        self.n: int = n
        self.block = block
        self._wide_blocks = np.arange(-(-n // WIDE_BLOCK))
        self.features, self.activity = features, activity
        self.moving, self._next_moving = np.zeros((2, n_tempi, n), np.float32)
        self.holding, self._next_holding = np.zeros((2, 1, n), np.float32)
        self.marginal, self._likelihood, self._stop = np.zeros((3, n), np.float32)
        self.phase = np.zeros(n_tempi)
        self.total = 1.0

    def clear(self) -> None:
        for a in (self.moving, self._next_moving, self.holding, self._next_holding, self.marginal):
            a[:] = 0
        self.phase[:] = 0
        self.total = 1.0

    def advance(
        self, step: Step, log_scale: float | None, prior: NDArray[np.float32], blocks: NDArray[np.int64]
    ) -> float:
        """One step in `blocks`; `log_scale` is taken from the scores (None: their largest). Returns it."""
        if step.evidence > 0:
            # In every block at once the sums are the same, and three times quicker than in small blocks.
            wide = len(blocks) * self.block >= self.n
            where, size = (self._wide_blocks, WIDE_BLOCK) if wide else (blocks, self.block)
            top = kernels.scores(self.features, step.weights, where, size, self._likelihood)
            log_scale = top if log_scale is None else log_scale
            kernels.likelihoods(self._likelihood, log_scale, blocks, self.block)
        else:
            log_scale = 0.0 if log_scale is None else log_scale
            self._likelihood[:] = math.exp(-log_scale)
        self.phase += step.tempi
        shift = np.floor(self.phase)
        self.phase -= shift
        np.multiply(self.activity, np.float32(1 - math.exp(-step.stop_rate)), out=self._stop)
        self._stop[-int(np.max(shift, initial=1)) :] = 1  # nobody plays on beyond the end
        self.total = kernels.advance(
            self.moving,
            self.holding[0],
            1 / self.total,
            shift.astype(np.int64),
            step.diffusion,
            self._stop,
            step.resume,
            prior,
            step.tempo_gain.astype(np.float32),
            step.leak,
            self._likelihood,
            blocks,
            self.block,
            self._next_moving,
            self._next_holding[0],
            self.marginal,
        )
        self.moving, self._next_moving = self._next_moving, self.moving
        self.holding, self._next_holding = self._next_holding, self.holding
        return log_scale

    def amplify(self, first: int, end: int, gain: float) -> None:
        """Multiply the belief from `first` to before `end`."""
        before = float(np.sum(self.marginal[first:end]))
        for a in (self.moving, self.holding, self.marginal[None]):
            a[:, first:end] *= np.float32(gain)
        self.total += float(np.sum(self.marginal[first:end])) - before

    def zero(self, blocks: NDArray[np.int64]) -> None:
        """Empty the blocks named, in both buffers."""
        for b in blocks:
            at = slice(int(b) * self.block, (int(b) + 1) * self.block)
            for a in (self.moving, self._next_moving, self.holding, self._next_holding):
                a[:, at] = 0
            self.marginal[at] = 0


class TwoLevelPosterior:
    """Belief over (tempo, frame of the mix) and standing still. Bounded work per hop; memory fixed at the start."""

    def __init__(
        self,
        features: NDArray[np.float32],
        pooled: NDArray[np.float32],
        activity: NDArray[np.float32],
        tempi: NDArray[np.float64],
        tempo_prior: NDArray[np.float32],
    ) -> None:
        """Start with belief everywhere.

        Args:
            features: (k, n) float32, n >= 1, of the mix.
            pooled: their `pool_mean`.
            activity: (n,) float32, 0..1, whether the mix has piano.
            tempi: (r,) frames of the mix per live frame of each tempo state, ascending.
            tempo_prior: (r,) sums to 1.
        """
        self._tempi = tempi
        self._prior = tempo_prior
        n = features.shape[1]
        self._fine = _Level(features, activity, len(tempi), BLOCK)
        self._coarse = _Level(pooled, pool_mean(activity[None])[0], len(tempi), BLOCK // POOL)
        self._n_blocks = -(-n // BLOCK)
        self._all_blocks = np.arange(self._n_blocks)
        self.expect(np.full(n, 1 / n))

    @property
    def n_frames(self) -> int:
        """Frames of the mix."""
        return self._fine.n

    @property
    def active_frames(self) -> int:
        """Frames evaluated finely in the next hop: the measure of work."""
        return len(self._active) * BLOCK

    def expect(self, positions: NDArray[np.float64]) -> None:
        """Replace all belief by `positions` (n,), which sums to 1, at tempi from the prior."""
        self._fine.clear()
        self._coarse.clear()
        moving = (self._prior[:, None] * positions).astype(np.float32)
        kernels.pool_blocks(moving, 1.0, POOL, self._all_blocks, BLOCK, self._coarse.moving)
        np.sum(self._coarse.moving, axis=0, out=self._coarse.marginal)
        self._active = np.empty(0, np.int64)
        self._choose_active()
        self._begin_round()
        self.mode = int(np.argmax(positions))
        self._others: tuple[tuple[int, float], ...] = ()

    def _begin_round(self) -> None:
        self._hops = 0
        self._sum_weights = np.zeros(len(self._fine.features), np.float32)
        self._sum_log = 0.0
        self._sum = np.zeros(4)
        self._sum_tempi = np.zeros(len(self._tempi))
        self._tempo_gain = np.ones(len(self._tempi))

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
        self._heat(np.setdiff1d(blocks, self._active))
        self._active = np.union1d(self._active, blocks)
        bell = np.exp(-0.5 * ((np.arange(first, end) - frame) / reach) ** 2)
        mass = self._fine.total * share / (1 - share)
        added = (mass * tempi[:, None] * (bell / bell.sum())).astype(np.float32)
        self._fine.moving[:, first:end] += added
        self._fine.marginal[first:end] += added.sum(axis=0)
        self._fine.total += mass

    def advance(self, step: Step) -> None:
        """Take one hop."""
        log_scale = self._fine.advance(step, None, self._prior, self._active)
        self._hops += 1
        if step.evidence > 0:
            self._sum_weights += step.weights
        self._sum_log += log_scale + math.log(max(self._fine.total, 1e-300))
        self._sum += (step.evidence, step.diffusion, step.stop_rate, step.leak)
        self._sum_tempi += step.tempi
        self._tempo_gain *= step.tempo_gain
        self._resume = step.resume
        if self._hops == POOL:
            self._synchronise()
            self._begin_round()

    def _synchronise(self) -> None:
        """Advance the coarse level over the hops since the last time, then let each level take over from the other."""
        fine, coarse = self._fine, self._coarse
        evidence, diffusion, stop_rate, leak = self._sum.tolist()
        step = Step(
            weights=self._sum_weights,
            evidence=evidence,
            tempi=self._sum_tempi / POOL,
            tempo_gain=self._tempo_gain,
            diffusion=min(diffusion, 0.4),
            stop_rate=stop_rate,
            resume=self._resume,
            leak=leak * POOL,
        )
        coarse.advance(step, self._sum_log, self._prior, self._all_blocks)
        kernels.pool_blocks(fine.moving, 1 / fine.total, POOL, self._active, BLOCK, coarse.moving)
        kernels.pool_blocks(fine.holding, 1 / fine.total, POOL, self._active, BLOCK, coarse.holding)
        kernels.pool_blocks(fine.marginal[None], 1 / fine.total, POOL, self._active, BLOCK, coarse.marginal[None])
        self._choose_active()

    def _choose_active(self) -> None:
        """Make the blocks with the most belief active, and the ones their belief moves into."""
        fine, coarse = self._fine, self._coarse
        mass = np.zeros(self._n_blocks)
        kernels.block_sums(coarse.marginal, BLOCK // POOL, mass)
        coarse.total = float(np.sum(mass))
        wanted = mass
        wanted[1:] = np.maximum(wanted[1:], mass[:-1])
        ranked = np.argsort(-wanted, kind="stable")[:MAX_ACTIVE_BLOCKS]
        active = np.sort(ranked[wanted[ranked] > MIN_ACTIVE_SHARE * coarse.total])
        cooled, heated = np.setdiff1d(self._active, active), np.setdiff1d(active, self._active)
        fine.total *= coarse.total
        fine.zero(cooled)
        self._heat(heated)
        self._active = active

    def _heat(self, blocks: NDArray[np.int64]) -> None:
        """Begin the fine level in these blocks with what the coarse one has there."""
        fine, coarse = self._fine, self._coarse
        scale = fine.total / coarse.total
        kernels.spread_blocks(coarse.moving, scale, POOL, blocks, BLOCK, fine.moving)
        kernels.spread_blocks(coarse.holding, scale, POOL, blocks, BLOCK, fine.holding)
        kernels.spread_blocks(coarse.marginal[None], scale, POOL, blocks, BLOCK, fine.marginal[None])

    def estimate(self, reaches: Reaches, near: Near | None = None) -> Estimate:
        """Find the mode and summarise the belief round it.

        With `near`, the mode is looked for there first: belief elsewhere has to outweigh it clearly.
        """
        fine = self._fine
        self.mode = kernels.densest(fine.marginal, reaches.mode)
        if near is not None and abs(self.mode - near.frame) > near.reach:
            self._stay(reaches, near)
        around = fine.marginal[max(self.mode - 3 * reaches.wide, 0) : self.mode + 3 * reaches.wide + 1]
        share = float(np.sum(around)) / fine.total
        frame, tempo, concentration, held = kernels.summarise(
            fine.moving,
            fine.holding[0],
            fine.marginal,
            fine.total,
            self._tempi,
            self.mode,
            reaches.mean,
            reaches.wide,
        )
        return Estimate(frame, tempo, concentration, held, min(concentration / share, 1.0) if share > 0 else 0.0)

    def others(self, reach: int) -> tuple[tuple[int, float], ...]:
        """Positions (frames) further than `reach` from the mode and each other, with the share of the belief they hold.

        The likeliest first. Of the coarse level: anew whenever that has made a step.
        """
        if self._hops == 0:
            self._others = self._find_others(reach)
        return self._others

    def _find_others(self, reach: int) -> tuple[tuple[int, float], ...]:
        belief, near = self._coarse.marginal.copy(), max(reach // POOL, 1)
        found: list[tuple[int, float]] = []
        at = self.mode // POOL
        for _ in range(MAX_OTHERS):
            belief[max(at - 2 * near, 0) : at + 2 * near + 1] = 0
            at = kernels.densest(belief, near)
            first = max(at - near, 0)
            window = belief[first : at + near + 1].astype(np.float64)
            share = float(np.sum(window)) / self._coarse.total
            if share < MIN_OTHER_SHARE:
                break
            at = first + round(float(np.average(np.arange(len(window)), weights=window)))
            found.append((min(at * POOL + POOL // 2, self.n_frames - 1), min(share, 1.0)))
        return tuple(found)

    def _stay(self, reaches: Reaches, near: Near) -> None:
        """Take the mode near `near.frame`, unless the belief at the mode found elsewhere outweighs it and may.

        Belief elsewhere that may not win is kept from winning by ever more: what is near gains what it lacks.
        """
        first = min(max(near.frame - near.reach, 0), self.n_frames - 1)
        end = min(max(near.frame + near.reach, first) + 1, self.n_frames)
        here = float(np.sum(self._fine.marginal[first:end]))
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
            self._coarse.amplify(first // POOL, -(-end // POOL), gain)
