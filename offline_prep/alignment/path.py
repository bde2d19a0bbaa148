"""The tempo-regularised segmental alignment over a band: drives the kernels node by node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from follower.errors import AlignmentError
from follower.kernels import align as kernels
from offline_prep.alignment.features import Comparison

OUTSIDE_COST = 0.05
"""A little over the median for columns before the start or behind the end of the orchestra recording."""

MAX_EXPONENT = 85.0
"""A segment's likelihood is e to minus this or more before its slope's prior, and 1 or less: 32 bits hold it.  Only
a row's differences matter for a posterior; their bound, 2 for 43 rows, is for noise in the onset network's output."""


@dataclass(frozen=True)
class SegmentRule:
    """What a path may do.

    Attributes:
        rows: frames of the mix per segment.
        slopes: allowed orchestra frames per mix frame, ascending.
        stiffness: cost of one e-fold of tempo change, per row of a segment.
        slope_cost: cost per row of a slope one e-fold beyond `slope_free` from `slope_centre`.
        slope_free: log ratio to `slope_centre` that costs nothing.
        slope_centre: the usual slope.
    """

    rows: int
    slopes: tuple[float, ...]
    stiffness: float
    slope_cost: float = 0.0
    slope_free: float = 0.3
    slope_centre: float = 1.0

    def displacements(self) -> NDArray[np.int32]:
        """Distinct whole columns per segment, ascending."""
        return np.unique(np.maximum(1, np.round(np.array(self.slopes) * self.rows))).astype(np.int32)

    def prior(self) -> NDArray[np.float32]:
        """Cost of a segment of each displacement for its slope alone."""
        far = np.abs(np.log(self.displacements() / (self.rows * self.slope_centre))) - self.slope_free
        return (self.slope_cost * self.rows * np.maximum(far, 0.0)).astype(np.float32)

    def lines(self) -> NDArray[np.int32]:
        """Column offset of the straight line at each row's middle, shape (displacements, rows)."""
        return ((np.arange(self.rows) + 0.5) * self.displacements()[:, None] / self.rows).astype(np.int32)


@dataclass(frozen=True)
class GapCosts:
    """Costs of the gap state, relative to the median local cost.

    Attributes:
        wait: (columns,) per mix row that passes while the orchestra waits at the column.
        enter: (columns,) once per gap.
        skip: (columns,) per orchestra column that passes while the mix waits.
    """

    wait: NDArray[np.float32]
    enter: NDArray[np.float32]
    skip: NDArray[np.float32]


@dataclass(frozen=True)
class Path:
    """The best path.

    Attributes:
        chains: matched pieces in order, each (nodes, 2) int64 (mix row, orchestra column).
        score: minus its total cost, relative to the median local cost: higher is better, 0 matches nothing.
        cells: local costs read, the work done.
    """

    chains: tuple[NDArray[np.int64], ...]
    score: float
    cells: int


def best_path(
    comparison: Comparison, rule: SegmentRule, first: NDArray[np.int64], width: int, gap: GapCosts | None
) -> Path:
    """Find the cheapest path within a band.

    Args:
        comparison: the two recordings.
        rule: see `SegmentRule`.
        first: (nodes + 1,) first column of the band at each node; node t lies at mix row t * rule.rows.
        width: columns of the band.
        gap: with it, the path is a local alignment: free ends on both axes and gaps inside; without, it is one
            chain through all nodes, and columns outside the recording cost a little over the median.

    Raises:
        AlignmentError: no path fits the band.
    """
    displacement = rule.displacements()
    line = rule.lines()
    log_step = np.diff(np.log(displacement)).astype(np.float32)
    prior = rule.prior()
    nodes, count = len(first) - 1, len(displacement)
    columns = len(comparison.orchestra)
    infinity = np.float32(np.inf)

    match = np.full((width, count), infinity, dtype=np.float32)
    best = np.empty((width, count), dtype=np.float32)
    gap_now = np.zeros(width, dtype=np.float32)
    if gap is not None:
        gap_now[_outside(int(first[0]), width, columns)] = infinity
    match_back = np.zeros((nodes, width, count), dtype=np.int8)
    gap_back = np.zeros((nodes + 1, width if gap is not None else 0), dtype=np.int8)
    cells, end_cost, end = 0, np.inf, (0, 0, 0)
    for t in range(nodes):
        kernels.leave_node(match, gap_now, log_step, rule.stiffness * rule.rows, best, match_back[t])
        here, there = int(first[t]), int(first[t + 1])
        block = _cost_block(comparison, t * rule.rows, rule.rows, here, width + int(displacement[-1]) + 1)
        if gap is not None:
            block[:, _outside(here, block.shape[1], columns)] = infinity
        match = np.empty_like(match)
        cells += int(kernels.add_segment(best, here, block, here, line, displacement, prior, there, match))
        if gap is None:
            gap_now = np.full(width, infinity, dtype=np.float32)
        else:
            gap_now = _gap_step(gap, rule.rows, gap_now, here, there, match, columns, gap_back[t + 1])
        if gap is not None or t == nodes - 1:
            k = int(np.argmin(match))
            if match.flat[k] < end_cost:
                end_cost, end = float(match.flat[k]), (t + 1, k // count, k % count)
    if not np.isfinite(end_cost):
        raise AlignmentError(f"no path fits a band of {width} columns over {nodes} nodes; are the recordings empty?")
    chains = _trace(end, first, displacement, match_back, gap_back, rule.rows)
    return Path(chains, -end_cost, cells)


def node_posterior(
    comparison: Comparison, rule: SegmentRule, first: NDArray[np.int64], width: int, sharpness: float
) -> NDArray[np.float64]:
    """Posterior of the column at each node when every chain of segments through the band counts by its cost.

    Arguments as in `best_path`; `sharpness` is how decisive a cost difference of 1 is.

    Returns:
        (nodes + 1, width), each row sums to 1.

    Raises:
        AlignmentError: no chain fits the band.
    """
    displacement = rule.displacements()
    line, prior = rule.lines(), rule.prior()
    nodes, count = len(first) - 1, len(displacement)
    likelihood = np.empty((nodes, width, count), dtype=np.float32)
    for t in range(nodes):
        span = width + int(displacement[-1]) + 1
        block = _cost_block(comparison, t * rule.rows, rule.rows, int(first[t]), span)
        block -= block.min(axis=1, keepdims=True)
        np.minimum(block, np.float32(MAX_EXPONENT / (sharpness * rule.rows)), out=block)
        kernels.segment_likelihood(block, line, sharpness, prior, likelihood[t])
    keep = np.exp(-sharpness * rule.stiffness * rule.rows * np.diff(np.log(displacement))).astype(np.float32)
    column = np.empty((nodes + 1, width))
    kernels.forward_backward(likelihood, displacement, np.diff(first), keep, column)
    if not bool(np.all(np.abs(column.sum(axis=1) - 1.0) < 1e-6)):
        raise AlignmentError(f"no chain of segments fits a band of {width} columns over {nodes} nodes")
    return column


def _outside(first: int, width: int, columns: int) -> NDArray[np.bool_]:
    j = first + np.arange(width)
    return (j < 0) | (j >= columns)


def _cost_block(comparison: Comparison, row: int, rows: int, first: int, width: int) -> NDArray[np.float32]:
    """Local costs, relative to their median, of `rows` mix frames against `width` columns from `first` on."""
    columns = len(comparison.orchestra)
    block = np.full((rows, width), OUTSIDE_COST, dtype=np.float32)
    a, b = min(max(first, 0), columns), max(min(first + width, columns), 0)
    if a < b:
        mix, orchestra = (
            x.astype(np.float32, copy=False) for x in (comparison.mix[row : row + rows], comparison.orchestra[a:b])
        )
        inner = mix @ orchestra.T
        block[: len(inner), a - first : b - first] = np.float32(comparison.offset) - inner
    return block


def _gap_step(
    gap: GapCosts,
    rows: int,
    before: NDArray[np.float32],
    here: int,
    there: int,
    match: NDArray[np.float32],
    columns: int,
    back: NDArray[np.int8],
) -> NDArray[np.float32]:
    width = len(before)
    shift = there - here
    shifted = np.full(width, np.inf, dtype=np.float32)
    low, high = max(0, -shift), min(width, width - shift)
    if low < high:
        shifted[low:high] = before[low + shift : high + shift]
    at = np.clip(there + np.arange(width), 0, columns - 1)
    wait, enter = gap.wait[at] * np.float32(rows), gap.enter[at]
    outside = _outside(there, width, columns)
    enter[outside] = np.inf
    out = np.empty(width, dtype=np.float32)
    kernels.update_gap(shifted, match, wait, enter, gap.skip[at], 0.0, out, back)
    out[outside] = np.inf
    return out


def _trace(
    end: tuple[int, int, int],
    first: NDArray[np.int64],
    displacement: NDArray[np.int32],
    match_back: NDArray[np.int8],
    gap_back: NDArray[np.int8],
    rows: int,
) -> tuple[NDArray[np.int64], ...]:
    t, j, q = end
    chains: list[NDArray[np.int64]] = []
    while True:
        chain = [(t * rows, int(first[t]) + j)]
        while q >= 0:
            column = int(first[t]) + j - int(displacement[q])
            t -= 1
            j = column - int(first[t])
            chain.append((t * rows, column))
            q = int(match_back[t, j, q])
        chains.append(np.array(chain[::-1], dtype=np.int64))
        if gap_back.shape[1] == 0:
            break
        while t > 0 and gap_back[t, j] in (kernels.GAP_ROWS, kernels.GAP_COLUMN):
            if gap_back[t, j] == kernels.GAP_COLUMN:
                j -= 1
            else:
                j += int(first[t]) - int(first[t - 1])
                t -= 1
        if t == 0 or gap_back[t, j] == kernels.GAP_START:
            break
        q = int(gap_back[t, j]) - kernels.GAP_FROM_MATCH
    return tuple(chains[::-1])
