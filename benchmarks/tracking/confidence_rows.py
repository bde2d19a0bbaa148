"""What the confidence learns from and is judged by: evidence and truth of recorded performances."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from benchmarks.tracking.recorded import Recorded
from follower.evaluation.beat_errors import live_errors
from follower.evaluation.estimates import Estimates
from follower.evaluation.scenario import Truth
from follower.events import Position, State
from follower.tracking.evidence import Evidence

EVERY = 4
"""Of the hops every fourth is an instant: its neighbours say nearly the same."""
NEAR_S = 0.06
"""Truth has to be known so near to an instant; its rows are 50 ms apart."""
MET_S, MET_SHARE = 0.2, 0.05
"""A return of the piano is met when the estimate is off by no more than this and this share of the rest: a pianist
in a recording does not hear the orchestra that leads, and goes by a tempo of their own."""


@dataclass(frozen=True, slots=True)
class Row:
    """An estimate that was judged.

    Attributes:
        work: what was played.
        evidence: for the estimate.
        map_confidence: of the map at the estimate, 0..1.
        state: that was reported.
        error_s: how far off it was: an instant in the mix; a beat or a return in the orchestra recording.
        met: of a return: whether it was met.
    """

    work: str
    evidence: Evidence
    map_confidence: float
    state: State
    error_s: float
    met: bool = False


@dataclass
class Rows:
    """Judged estimates of performances.

    Attributes:
        instants: while the piano sounds, where it is clear whether they are on track: up to half a second off or more
            than a second.
        beats: at the evaluation beats.
        returns: the newest in a rest or pause when the piano sounds again.
    """

    instants: list[Row] = field(default_factory=list)
    beats: list[Row] = field(default_factory=list)
    returns: list[Row] = field(default_factory=list)

    def add(self, other: Rows) -> None:
        """Add those of another performance."""
        self.instants += other.instants
        self.beats += other.beats
        self.returns += other.returns

    def only(self, works: frozenset[str]) -> Rows:
        """Those of these works."""
        return Rows(*([row for row in part if row.work in works] for part in (self.instants, self.beats, self.returns)))


def work_of(name: str) -> str:
    """The composer, or else the work, that a scenario is a performance of, by its name.

    >>> work_of("pub2_01_schumann_tutti"), work_of("rt_pub_rach2_a"), work_of("dev02_mozart_k466_skip--noise-20dB")
    ('schumann', 'rach2', 'mozart')
    """
    words = [w for w in name.split("--")[0].split("_") if not re.fullmatch(r"[a-z]*\d{1,2}|rt|pub|long|free", w)]
    return next((w for w in name.split("_") if w == "rach2"), words[0] if words else name)


def rows_of(made: Recorded, with_returns: bool) -> Rows:
    """Judge a performance; the returns only where asked for, for they are nearly the same from either start."""
    work, truth, mix_map = work_of(made.scenario.name), made.scenario.truth, made.piece.map
    followed = list(made.estimates())
    at = np.array([p.audio_time_s for p, _ in followed])
    mix_s = np.array([p.mix_time_s for p, _ in followed], dtype=np.float64)
    orchestra_s = np.array([p.orchestra_time_s for p, _ in followed], dtype=np.float64)

    def row(k: int, error_s: float, met: bool = False) -> Row:
        position, evidence = followed[k]
        return Row(work, evidence, float(mix_map.confidence_at(mix_s[k])), position.state, error_s, met)

    off_s = np.abs(mix_s - np.interp(at, truth.piano_s, truth.mix_s))
    clear = _known(truth, at) & ((off_s > 1.0) | (off_s <= 0.5))
    sounding = [k for k in np.flatnonzero(clear)[::EVERY].tolist() if followed[k][1].silent_s == 0]
    estimates = Estimates.build(at, orchestra_s, np.array([p.rate for p, _ in followed]))
    error_s = np.abs(live_errors(estimates, truth.beat_s, truth.beat_orchestra_s))
    newest = zip(estimates.newest(truth.beat_s).tolist(), error_s.tolist(), strict=True)
    return Rows(
        [row(k, float(off_s[k])) for k in sounding if followed[k][0].state is not State.PAUSED],
        [row(k, e) for k, e in newest if k >= 0],
        [row(k, e, met) for k, e, met in _returns(followed, truth)] if with_returns else [],
    )


def _known(truth: Truth, at_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Is the truth known near these instants?"""
    after = np.clip(np.searchsorted(truth.piano_s, at_s), 1, len(truth.piano_s) - 1)
    near_s = np.minimum(np.abs(truth.piano_s[after] - at_s), np.abs(truth.piano_s[after - 1] - at_s))
    return np.asarray((near_s < NEAR_S) & np.isfinite(truth.mix_s[after]))


def _returns(followed: list[tuple[Position, Evidence]], truth: Truth) -> Iterator[tuple[int, float, bool]]:
    """The newest estimate before each return of the piano: its index, error (s) and whether the return was met."""

    def kind(k: int) -> State | None:
        position, evidence = followed[k]
        return position.state if evidence.silent_s > 0 and not evidence.given else None

    for state, run in groupby(range(len(followed)), kind):
        last = list(run)[-1]
        if state not in (State.ORCHESTRA, State.PAUSED) or last + 1 == len(followed):
            continue
        position, evidence = followed[last]
        at_s = followed[last + 1][0].audio_time_s
        if followed[last + 1][1].silent_s > 0 or not _known(truth, np.array([at_s]))[0]:
            continue
        assert position.orchestra_time_s is not None
        error_s = abs(position.orchestra_time_s - float(np.interp(at_s, truth.piano_s, truth.orchestra_s)))
        tempo_s = MET_SHARE * evidence.silent_s if state is State.ORCHESTRA else 0.0
        yield last, error_s, error_s <= MET_S + tempo_s
