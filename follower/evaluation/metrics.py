"""The live metric and what else says how well a follower follows. Times in seconds unless named otherwise.

The live metric: at each evaluation beat the claim is the newest position emitted from audio up to that beat, advanced
at its rate; a beat before the first position counts as an infinite error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.scenario import Truth
from follower.events import State

TOLERANCES_MS = (50, 100, 200, 500, 1000, 2000)
LOCK_TOLERANCE_S = 0.5
LOCK_HOLD_S = 1.0
"""A follower has locked where its error stays below the tolerance for this long."""
CALIBRATED_WITHIN_S = 0.2
JUMP_S = 1.0
"""A step of the claim by more than this, beyond what its rate explains, is a jump."""
JUMP_SETTLING_S = 1.0
"""A jump is judged by the error this long after it."""
JUMP_CAUSE_S = 8.0
"""A jump this long after the pianist jumped may be the answer to it."""
PAUSE_S = 1.0
RATE_SPAN_S = 1.0
LOST_ERROR_S = 1.0
"""A claim this far off should be called lost."""
CONFIDENCE_LEVELS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)


@dataclass(frozen=True)
class Claims:
    """Positions in the order they were emitted, those without a place left out. All arrays have shape (n,).

    Attributes:
        audio_time_s: live audio consumed at the emission, non-decreasing.
        position_s: claimed place in the other recording.
        rate: its seconds per live second until the next position.
        confidence: 0..1, NaN where the system has none.
        state: what the system said of itself (`follower.events.State`); empty where it says nothing.
    """

    audio_time_s: NDArray[np.float64]
    position_s: NDArray[np.float64]
    rate: NDArray[np.float64]
    confidence: NDArray[np.float64]
    state: NDArray[np.str_]

    @classmethod
    def build(
        cls,
        audio_time_s: NDArray[np.float64],
        position_s: NDArray[np.float64],
        rate: NDArray[np.float64],
        confidence: NDArray[np.float64] | None = None,
        state: NDArray[np.str_] | None = None,
    ) -> Claims:
        """Drop rows without a position and take an unknown rate as 1."""
        known = np.isfinite(position_s)
        n = len(position_s)
        confidence = np.full(n, np.nan) if confidence is None else confidence
        state = np.full(n, "") if state is None else state
        return cls(
            audio_time_s[known],
            position_s[known],
            np.where(np.isfinite(rate[known]), rate[known], 1.0),
            confidence[known],
            state[known],
        )

    @classmethod
    def from_path(cls, hyp_s: NDArray[np.float64]) -> Claims:
        """Claims of an offline alignment, shape (2, n): between its points the claim is the interpolation."""
        at, position = hyp_s
        rate = np.zeros(len(at))
        rate[:-1] = np.diff(position) / np.diff(at)
        return cls.build(at, position, rate)

    def newest(self, at_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Index of the newest claim at each instant, -1 before the first."""
        return np.searchsorted(self.audio_time_s, at_s, side="right") - 1


@dataclass(frozen=True)
class Summary:
    """Errors at beats in figures, rounded as the judge's `score.py` rounds them.

    Attributes:
        beats: number of beats.
        median_ms: median absolute error; inf where more than half of the beats have no claim.
        bias_ms: median signed error of the beats with a claim; None without any.
        over_pct: percentage of beats with a larger absolute error, one for each of `TOLERANCES_MS`.
    """

    beats: int
    median_ms: float
    bias_ms: float | None
    over_pct: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """The keys of `score.py`; an infinite median is null."""
        median_ms = finite_or_none(self.median_ms)
        out: dict[str, Any] = {"beats": self.beats, "median_ms": median_ms, "bias_ms": self.bias_ms}
        return out | {f"over_{t}_ms_pct": x for t, x in zip(TOLERANCES_MS, self.over_pct, strict=True)}


@dataclass(frozen=True)
class Share:
    """So many of so many; adds up over scenarios.

    >>> (Share(1, 2) + Share(0, 2)).pct
    25.0
    """

    count: int
    of: int

    def __add__(self, other: Share) -> Share:
        """Of both together."""
        return Share(self.count + other.count, self.of + other.of)

    @property
    def pct(self) -> float:
        """Percentage; NaN of none."""
        return 100 * self.count / self.of if self.of else math.nan


@dataclass(frozen=True)
class Behaviour:
    """What a list of errors at beats does not show. Counts and seconds can be summed or pooled over scenarios.

    Attributes:
        lock_s: from the first note until the error stays below 0.5 s for a second; inf when it never does.
        recovery_s: the same after each jump of the pianist, without the second.
        noticed_s: from each jump of the pianist until the state says lost or the claim jumps; inf when neither happens
            before the next one.
        paused_s: from the last note before each pause of the pianist until the state says so; inf when it never does.
        resumed_s: from the next note on until the state is following and the error below 0.5 s.
        jumps: jumps of the claim.
        false_jumps: those that led away: the error is above 0.5 s a second later.
        rate_error_pct: median deviation of the claimed rate from the true one over a second, where the error is below
            0.5 s; NaN without such a place.
        rate_change_per_s: mean absolute change of the claimed rate in a second.
        backward_steps: claims that lie before their predecessor, jumps left out.
        backward_worst_ms: the largest of these steps.
        lost_missed: of the instants (of the truth) with a claim and an error above 1 s, those not called lost.
        lost_false: of the instants with an error up to 0.5 s, those called lost.
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


@dataclass(frozen=True)
class CoverageRow:
    """Accuracy of the claims whose confidence is at least `confidence`; percentages of the beats they cover."""

    confidence: float
    coverage_pct: float
    median_ms: float
    over_200_pct: float
    over_500_pct: float
    over_2000_pct: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; what is not finite is null."""
        return {f.name: finite_or_none(getattr(self, f.name)) for f in fields(self)}


@dataclass(frozen=True)
class CalibrationBin:
    """Beats whose claim has a confidence in [low, high): how many, their mean confidence, the share within 200 ms."""

    low: float
    high: float
    beats: int
    mean_confidence: float
    within_share: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; what is not finite is null."""
        return {f.name: finite_or_none(getattr(self, f.name)) for f in fields(self)}


def finite_or_none(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None


def live_errors(claims: Claims, at_s: NDArray[np.float64], target_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Signed error of the live metric at each instant (s); inf where nothing was claimed yet.

    Example:
        >>> claims = Claims.build(np.array([1.0]), np.array([10.0]), np.array([2.0]))
        >>> live_errors(claims, np.array([0.5, 1.5]), np.array([9.0, 10.5])).tolist()
        [inf, 0.5]
    """
    error = np.full(len(at_s), np.inf)
    k = claims.newest(at_s)
    ok = k >= 0
    k = k[ok]
    error[ok] = claims.position_s[k] + claims.rate[k] * (at_s[ok] - claims.audio_time_s[k]) - target_s[ok]
    return error


def summarise(error_s: NDArray[np.float64]) -> Summary:
    """Figures of signed errors in seconds; at least one."""
    absolute = np.abs(error_s) * 1000
    finite = error_s[np.isfinite(error_s)] * 1000
    return Summary(
        len(absolute),
        round(float(np.median(absolute)), 1),
        round(float(np.median(finite)), 1) if len(finite) else None,
        tuple(round(float(100 * np.mean(absolute > t)), 2) for t in TOLERANCES_MS),
    )


def coverage(error_s: NDArray[np.float64], confidence: NDArray[np.float64]) -> list[CoverageRow]:
    """Error against coverage: only claims of at least a confidence count.

    Args:
        error_s: at each beat.
        confidence: of the claim at each beat, NaN where there is none.
    """
    absolute = np.abs(error_s) * 1000
    rows = []
    for level in CONFIDENCE_LEVELS:
        kept = absolute[np.isfinite(absolute) & (confidence >= level)]
        share = 100 * len(kept) / max(len(absolute), 1)
        if not len(kept):
            rows.append(CoverageRow(level, 0.0, math.nan, math.nan, math.nan, math.nan))
            continue
        over = [float(100 * np.mean(kept > t)) for t in (200, 500, 2000)]
        rows.append(CoverageRow(level, share, float(np.median(kept)), *over))
    return rows


def calibration(error_s: NDArray[np.float64], confidence: NDArray[np.float64], bins: int = 10) -> list[CalibrationBin]:
    """Share of beats within 200 ms per bin of confidence; beats without a claim are left out."""
    known = np.isfinite(error_s) & np.isfinite(confidence)
    within = np.abs(error_s[known]) <= CALIBRATED_WITHIN_S
    confidence = confidence[known]
    index = np.clip((confidence * bins).astype(np.int64), 0, bins - 1)
    out = []
    for b in range(bins):
        inside = index == b
        n = int(inside.sum())
        out.append(
            CalibrationBin(
                b / bins,
                (b + 1) / bins,
                n,
                float(confidence[inside].mean()) if n else math.nan,
                float(within[inside].mean()) if n else math.nan,
            )
        )
    return out


def behaviour(claims: Claims, piano_s: NDArray[np.float64], target_s: NDArray[np.float64]) -> Behaviour:
    """Measure everything in `Behaviour`.

    Args:
        claims: of one run.
        piano_s: instants at which the truth is known, increasing, shape (K,).
        target_s: the true place at each.
    """
    error = live_errors(claims, piano_s, target_s)
    jumped_to = jumps_of_truth(piano_s, target_s)
    jump_at, false = _jumps(claims, piano_s, error, piano_s[jumped_to])
    backward = _backward_steps(claims)
    missed, false_lost = _lost_shares(claims, piano_s, error)
    ends = [*jumped_to.tolist(), len(piano_s)]
    return Behaviour(
        _seconds_to_lock(piano_s[: ends[0]], error[: ends[0]]),
        tuple(_seconds_to_lock(piano_s[a:b], error[a:b], hold_s=0.0) for a, b in pairwise(ends)),
        tuple(_seconds_to_notice(claims, piano_s[a], piano_s[b - 1]) for a, b in pairwise(ends)),
        *_pauses(claims, piano_s, target_s),
        len(jump_at),
        int(false.sum()),
        _rate_error_pct(claims, piano_s, target_s, error),
        _rate_change_per_s(claims),
        len(backward),
        1000 * float(backward.max(initial=0.0)),
        missed,
        false_lost,
    )


def jumps_of_truth(piano_s: NDArray[np.float64], target_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of the truth's rows before which the pianist jumped (repeated or skipped).

    The cut of a cadenza also moves the orchestra at once, by less than the three seconds asked for here.
    """
    step = np.diff(target_s)
    return np.flatnonzero((step < -JUMP_S) | (step > 3.0 + 3.0 * np.diff(piano_s))) + 1


def pauses_of_truth(piano_s: NDArray[np.float64], target_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of the truth's rows before which the pianist stopped for more than a second, without jumping."""
    return np.setdiff1d(np.flatnonzero(np.diff(piano_s) > PAUSE_S) + 1, jumps_of_truth(piano_s, target_s))


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


def _seconds_to_lock(piano_s: NDArray[np.float64], error: NDArray[np.float64], hold_s: float = LOCK_HOLD_S) -> float:
    """From the first instant until the error stays below the tolerance for `hold_s` (or to the end)."""
    if not len(piano_s):
        return math.inf
    good = np.abs(error) <= LOCK_TOLERANCE_S
    bad_at = piano_s[~good]
    for at in piano_s[good]:
        k = int(np.searchsorted(bad_at, at))
        if k == len(bad_at) or bad_at[k] > at + hold_s:
            return float(at - piano_s[0])
    return math.inf


def _seconds_to_notice(claims: Claims, from_s: float, to_s: float) -> float:
    """From an instant on until the follower says lost or jumps; inf when it does neither before the other."""
    jumped = np.concatenate([[False], np.abs(_steps(claims)[1]) > JUMP_S])[: len(claims.state)]
    at = claims.audio_time_s
    told = at[(at >= from_s) & (at <= to_s) & (jumped | (claims.state == State.LOST.value))]
    return float(told[0] - from_s) if len(told) else math.inf


def _pauses(
    claims: Claims, piano_s: NDArray[np.float64], target_s: NDArray[np.float64]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds until each pause is noticed, and until the music after it is followed."""
    at = claims.audio_time_s
    paused, resumed = [], []
    for row in pauses_of_truth(piano_s, target_s):
        stop, restart = piano_s[row - 1], piano_s[row]
        noticed = at[(at > stop) & (at < restart) & (claims.state == State.PAUSED.value)]
        paused.append(float(noticed[0] - stop) if len(noticed) else math.inf)
        after = (at >= restart) & (claims.state == State.FOLLOWING.value)
        off = np.abs(claims.position_s[after] - np.interp(at[after], piano_s, target_s))
        good = at[after][off <= LOCK_TOLERANCE_S]
        resumed.append(float(good[0] - restart) if len(good) else math.inf)
    return tuple(paused), tuple(resumed)


def _steps(claims: Claims) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From each claim to the next: the step of the position, and the part its rate does not explain."""
    step = np.diff(claims.position_s)
    return step, step - claims.rate[:-1] * np.diff(claims.audio_time_s)


def _jumps(
    claims: Claims, piano_s: NDArray[np.float64], error: NDArray[np.float64], pianist_jumped_at: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """When the claim jumped, and which jumps led away from the truth.

    A jump that answers the pianist's own may pass through a wrong place; it counts as false only after its time is up.
    """
    at = claims.audio_time_s[1:][np.abs(_steps(claims)[1]) > JUMP_S]
    at = at[(at >= piano_s[0]) & (at <= piano_s[-1])]
    after = np.clip(np.searchsorted(piano_s, at + JUMP_SETTLING_S), 0, len(piano_s) - 1)
    away = np.abs(error[after]) > LOCK_TOLERANCE_S
    since = np.array([min((t - j for j in pianist_jumped_at if t >= j), default=math.inf) for t in at])
    return at, away & (since > JUMP_CAUSE_S)


def _backward_steps(claims: Claims) -> NDArray[np.float64]:
    """Sizes (s) of the steps back, jumps left out."""
    step, unexplained = _steps(claims)
    return -step[(step < 0) & (np.abs(unexplained) <= JUMP_S)]


def _rate_error_pct(
    claims: Claims, piano_s: NDArray[np.float64], target_s: NDArray[np.float64], error: NDArray[np.float64]
) -> float:
    """Median deviation of the claimed rate from the true mean rate of the second around it, in per cent."""
    half = RATE_SPAN_S / 2
    ahead = np.searchsorted(piano_s, piano_s + half)
    behind = np.searchsorted(piano_s, piano_s - half)
    inside = (piano_s - half >= piano_s[0]) & (ahead < len(piano_s)) & (np.abs(error) <= LOCK_TOLERANCE_S)
    ahead, behind = ahead[inside], behind[inside]
    span = piano_s[ahead] - piano_s[behind]
    true_rate = (target_s[ahead] - target_s[behind]) / np.maximum(span, 1e-9)
    # A pause or a jump inside the span has no rate; a held orchestra (a cut) none worth a percentage.
    steady = (span < RATE_SPAN_S + 0.25) & (true_rate > 0.2) & (true_rate < 5)
    if not steady.any():
        return math.nan
    claimed = claims.rate[claims.newest(piano_s[inside][steady])]
    return float(100 * np.median(np.abs(claimed / true_rate[steady] - 1)))


def _rate_change_per_s(claims: Claims) -> float:
    """Total variation of the claimed rate per second of claims."""
    if len(claims.rate) < 2 or claims.audio_time_s[-1] <= claims.audio_time_s[0]:
        return math.nan
    span = float(claims.audio_time_s[-1] - claims.audio_time_s[0])
    return float(np.abs(np.diff(claims.rate)).sum()) / span


def _lost_shares(claims: Claims, piano_s: NDArray[np.float64], error: NDArray[np.float64]) -> tuple[Share, Share]:
    """How much of the wrong time was not called lost, and how much of the good time was."""
    k = claims.newest(piano_s)
    claimed = k >= 0
    lost, error = claims.state[k[claimed]] == State.LOST.value, np.abs(error[claimed])
    wrong, right = error > LOST_ERROR_S, error <= LOCK_TOLERANCE_S
    missed = Share(int(np.sum(~lost[wrong])), int(np.sum(wrong)))
    return missed, Share(int(np.sum(lost[right])), int(np.sum(right)))


def mix_target(truth: Truth) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Instants and true places of the full mix, for `behaviour`; rows without one left out."""
    known = np.isfinite(truth.mix_s)
    return truth.piano_s[known], truth.mix_s[known]
