"""What errors at beats do not show of a follower: lock, recovery, jumps, pauses, rate, lost states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.beat_errors import live_errors
from follower.evaluation.estimates import Estimates
from follower.evaluation.json_numbers import finite_or_none
from follower.evaluation.jumps import backward_steps, jumps, jumps_of_truth, seconds_to_notice
from follower.evaluation.pauses import seconds_to_pause_and_resume
from follower.evaluation.rates import rate_change_per_s, rate_error_pct
from follower.evaluation.recovery import lost_shares, seconds_to_lock
from follower.evaluation.share import Share


@dataclass(frozen=True)
class Behaviour:
    """What a list of errors at beats does not show. Counts and seconds can be summed or pooled over scenarios.

    Attributes:
        lock_s: from the first note until the error stays below 0.5 s for a second; inf when it never does.
        recovery_s: from each jump of the pianist until the error is below 0.5 s; inf when the next jump is
            earlier.
        noticed_s: from each jump of the pianist until the state is lost or the estimate jumps; inf when neither happens
            before the next jump.
        paused_s: from the last note before each pause of the pianist until the state is paused; inf when it never is.
        resumed_s: from the first note after each pause until the state is following and the error below 0.5 s.
        jumps: jumps of the estimate.
        false_jumps: jumps of the estimate that led away: the error is above 0.5 s a second later.
        rate_error_pct: median deviation of the reported rate from the true one over a second, where the error is below
            0.5 s; NaN without such an instant.
        rate_change_per_s: mean absolute change of the reported rate in a second.
        backward_steps: estimates that lie before their predecessor, jumps left out.
        backward_worst_ms: largest step of an estimate to before its predecessor, jumps left out.
        lost_missed: share not reported lost of the instants (of the truth) with an estimate and an error above 1 s.
        lost_false: share reported lost of the instants (of the truth) with an error up to 0.5 s.
    """

    lock_s: float
    recovery_s: tuple[float, ...]
    noticed_s: tuple[float, ...]
    paused_s: tuple[float, ...]
    resumed_s: tuple[float, ...]
    jumps: int
    false_jumps: int
    rate_error_pct: float
    rate_change_per_s: float
    backward_steps: int
    backward_worst_ms: float
    lost_missed: Share
    lost_false: Share

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; what is not finite is null."""
        out: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Share):
                out |= {f"{f.name}_pct": finite_or_none(value.pct), f"{f.name}_of": value.of}
            else:
                out[f.name] = [finite_or_none(v) for v in value] if isinstance(value, tuple) else finite_or_none(value)
        return out


def behaviour(estimates: Estimates, piano_s: NDArray[np.float64], target_s: NDArray[np.float64]) -> Behaviour:
    """Measure everything in `Behaviour`.

    Args:
        estimates: reports of one run.
        piano_s: instants at which the truth is known, increasing, shape (K,).
        target_s: the true position at each.
    """
    error = live_errors(estimates, piano_s, target_s)
    jumped_to = jumps_of_truth(piano_s, target_s)
    jump_at, false = jumps(estimates, piano_s, error, piano_s[jumped_to])
    backward = backward_steps(estimates)
    missed, false_lost = lost_shares(estimates, piano_s, error)
    ends = [*jumped_to.tolist(), len(piano_s)]
    return Behaviour(
        seconds_to_lock(piano_s[: ends[0]], error[: ends[0]]),
        tuple(seconds_to_lock(piano_s[a:b], error[a:b], hold_s=0.0) for a, b in pairwise(ends)),
        tuple(seconds_to_notice(estimates, piano_s[a], piano_s[b - 1]) for a, b in pairwise(ends)),
        *seconds_to_pause_and_resume(estimates, piano_s, target_s),
        len(jump_at),
        int(false.sum()),
        rate_error_pct(estimates, piano_s, target_s, error),
        rate_change_per_s(estimates),
        len(backward),
        1000 * float(backward.max(initial=0.0)),
        missed,
        false_lost,
    )


def pool_behaviour(parts: Sequence[Behaviour]) -> Behaviour:
    """Counts and shares summed, times and rates averaged by their median, percentages by their mean where known."""

    def mean(values: list[float]) -> float:
        known = [v for v in values if math.isfinite(v)]
        return float(np.mean(known)) if known else math.nan

    return Behaviour(
        float(np.median([p.lock_s for p in parts])),
        tuple(r for p in parts for r in p.recovery_s),
        tuple(r for p in parts for r in p.noticed_s),
        tuple(r for p in parts for r in p.paused_s),
        tuple(r for p in parts for r in p.resumed_s),
        sum(p.jumps for p in parts),
        sum(p.false_jumps for p in parts),
        mean([p.rate_error_pct for p in parts]),
        mean([p.rate_change_per_s for p in parts]),
        sum(p.backward_steps for p in parts),
        max(p.backward_worst_ms for p in parts),
        sum((p.lost_missed for p in parts), Share(0, 0)),
        sum((p.lost_false for p in parts), Share(0, 0)),
    )
