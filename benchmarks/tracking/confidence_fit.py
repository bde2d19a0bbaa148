"""Fits the two regressions of `follower.tracking.confidence` on annotated performances, cross-validated over works.

    python -m benchmarks.tracking.confidence_fit SCENARIO... [--caches DIR] [--recorded DIR] [--method M] [--record]

Each performance is followed twice, from an unknown start and from a known one. Prints for each regression the numbers
in the order of the module's constants, and what they are worth on works they were not fitted to: for the position, the
share of wrong instants (more than a second off in the mix) found when 1 % of the right ones (up to half a second)
raise a false alarm; for the confidence, how often estimates of each range are within 200 ms and over a second off.

A work is what its orchestra recording is; scenario folders with the same file name stem up to "--" share one, and so
do names that share their second word (pub01_mozart_k466_clean, dev02_mozart_k466_skip).
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, field
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.results import add_option, record
from benchmarks.tracking.recorded import Recorded, add_arguments, of_arguments
from follower.evaluation.beat_errors import live_errors
from follower.evaluation.estimates import Estimates
from follower.events import Position, State
from follower.tracking.confidence import Evidence, exact_evidence, on_track_evidence

EVERY = 4
"""Of the hops, every fourth is an instant: its neighbours say nearly the same."""
RANGES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 1.0)


def work_of(name: str) -> str:
    """The work a scenario is a performance of, by its name.

    >>> work_of("pub2_01_schumann_tutti"), work_of("rt_pub_rach2_a"), work_of("dev02_mozart_k466_skip--noise-20dB")
    ('schumann', 'rach2', 'mozart')
    """
    words = [w for w in name.split("--")[0].split("_") if not re.fullmatch(r"[a-z]*\d{1,2}|rt|pub|long|free", w)]
    return next((w for w in name.split("_") if w == "rach2"), words[0] if words else name)


@dataclass
class Rows:
    """What the regressions learn from: evidence (a row each), what is asked, and the work it comes from."""

    evidence: list[tuple[float, ...]] = field(default_factory=list)
    error_s: list[float] = field(default_factory=list)
    work: list[str] = field(default_factory=list)

    def add(self, evidence: tuple[float, ...], error_s: float, work: str) -> None:
        """One more."""
        self.evidence.append(evidence)
        self.error_s.append(error_s)
        self.work.append(work)


def follow(made: Recorded) -> list[tuple[Position, Evidence]]:
    """The estimates of a performance, with what speaks for each."""
    tracker, hop_samples = made.tracker(), made.piece.feature_config.hop_samples
    out = []
    for k, belief in enumerate(made.beliefs()):
        told = tracker.update(belief, (k + 1) * hop_samples)
        out += [(e, tracker.evidence) for e in told if isinstance(e, Position) and e.orchestra_time_s is not None]
    return out


def gather(made: Recorded, instants: Rows, beats: Rows, beats_on_track: list[tuple[float, ...]]) -> None:
    """Add a performance."""
    truth, work = made.scenario.truth, work_of(made.scenario.name)
    told = follow(made)
    at = np.array([p.audio_time_s for p, _ in told])
    mix_s = np.array([p.mix_time_s for p, _ in told], dtype=np.float64)
    orchestra_s = np.array([p.orchestra_time_s for p, _ in told], dtype=np.float64)
    off = np.abs(mix_s - np.interp(at, truth.piano_s, truth.mix_s))
    row = np.clip(np.searchsorted(truth.piano_s, at), 0, len(truth.piano_s) - 1)
    known = (np.abs(truth.piano_s[row] - at) < 0.06) & ((off > 1.0) | (off <= 0.5))
    for i in np.flatnonzero(known)[::EVERY]:
        if told[i][0].state is not State.PAUSED:
            instants.add(on_track_evidence(told[i][1]), float(off[i]), work)
    estimates = Estimates.build(at, orchestra_s, np.array([p.rate for p, _ in told]))
    error = np.abs(live_errors(estimates, truth.beat_s, truth.beat_orchestra_s))
    for k, e in zip(estimates.newest(truth.beat_s), error, strict=True):
        if k >= 0:
            sure = float(made.piece.map.confidence_at(mix_s[k]))
            beats.add(exact_evidence(told[k][1], sure), float(e), work)
            beats_on_track.append(on_track_evidence(told[k][1]))


@dataclass(frozen=True)
class Regression:
    """Coefficients, the bias first, of all data and of each fold of works."""

    all_works: NDArray[np.float64]
    by_fold: dict[str, NDArray[np.float64]]

    def log_odds(self, evidence: NDArray[np.float64], works: list[str]) -> NDArray[np.float64]:
        """Of each row by the fold that has not seen its work."""
        weights = np.array([self.by_fold[work] for work in works])
        return np.asarray(weights[:, 0] + np.sum(weights[:, 1:] * evidence, axis=1))


def regress(evidence: NDArray[np.float64], right: NDArray[np.bool_], works: list[str]) -> Regression:
    """Fit on all, and on each fold's other works."""
    by_fold: dict[str, NDArray[np.float64]] = {}
    names = np.array(works)
    for train, test in GroupKFold(min(6, len(set(works)))).split(evidence, groups=works):
        found = _coefficients(evidence[train], right[train])
        by_fold |= dict.fromkeys(names[test].tolist(), found)
    return Regression(_coefficients(evidence, right), by_fold)


def _coefficients(x: NDArray[np.float64], y: NDArray[np.bool_]) -> NDArray[np.float64]:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(x, y)
    scale = np.where(model[0].scale_ > 0, model[0].scale_, 1.0)
    slopes = model[1].coef_[0] / scale
    return np.concatenate([model[1].intercept_ - np.sum(slopes * model[0].mean_), slopes])


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    add_option(parser)
    args = parser.parse_args()
    instants, beats = Rows(), Rows()
    beats_on_track: list[tuple[float, ...]] = []
    for made in chain(of_arguments(args), of_arguments(args, known_start=True)):
        gather(made, instants, beats, beats_on_track)
    position = regress(np.array(instants.evidence), np.array(instants.error_s) <= 0.5, instants.work)
    wrong = np.array(instants.error_s) > 0.5
    log_odds = position.log_odds(np.array(instants.evidence), instants.work)
    alarm = np.quantile(log_odds[~wrong], 0.01)
    print("ON_TRACK", tuple(np.round(position.all_works, 2).tolist()))
    print(f"  {len(wrong)} instants, {wrong.sum()} wrong: {100 * np.mean(log_odds[wrong] < alarm):.0f} % found at 1 %")
    error = np.array(beats.error_s)
    near = error <= 1.0
    kept = np.flatnonzero(near)
    exact = regress(np.array(beats.evidence)[near], error[near] <= 0.2, [beats.work[i] for i in kept])
    print("EXACT", tuple(np.round(exact.all_works, 2).tolist()))
    on_track = position.log_odds(np.array(beats_on_track), beats.work)
    sure = expit(on_track) * expit(exact.log_odds(np.array(beats.evidence), beats.work))
    rows = []
    for low, high in pairwise(RANGES):
        inside = (sure >= low) & (sure < high)
        if inside.any():
            within, far = float(np.mean(error[inside] <= 0.2)), float(np.mean(error[inside] > 1.0))
            print(
                f"  {low:.2f}-{high:.2f}: {inside.sum():5d} beats, mean {sure[inside].mean():.3f}, "
                f"within 200 ms {within:.3f}, off by over 1 s {far:.3f}"
            )
            mean, n = float(sure[inside].mean()), int(inside.sum())
            rows.append({"from": low, "to": high, "beats": n, "mean": mean, "within_200_ms": within, "over_1_s": far})
    if args.record:
        record("confidence_fit", rows)


if __name__ == "__main__":
    main()
