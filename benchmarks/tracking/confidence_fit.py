"""Fits the two regressions of `follower.tracking.confidence` on annotated performances, cross-validated over works.

    python -m benchmarks.tracking.confidence_fit SCENARIO... [--caches DIR] [--method M]

Prints for each regression the coefficients in the order of the module's constants, and what they are worth on works
they were not fitted to: for the place, the share of wrong instants (more than a second off in the mix) found when 1 %
of the right ones (up to half a second) raise a false alarm; for the confidence, the share of beats off by more than
500 ms among the surest 94 %, and how often claims of each fifth of confidence are within 200 ms.

A work is what its orchestra recording is; scenario folders with the same file name stem up to "--" share one, and so
do names that share their second word (pub01_mozart_k466_clean, dev02_mozart_k466_skip).
"""

from __future__ import annotations

import argparse
import math
import re
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from follower.evaluation.beat_errors import live_errors
from follower.evaluation.estimates import Estimates
from follower.evaluation.scenario import load_scenario
from follower.evaluation.systems.workbench import Settings, Workbench
from follower.events import Position
from follower.inference.base import Frame, create_frontier
from follower.inference.methods import DEFAULT_METHOD, METHODS
from follower.piece.piece import Piece
from follower.signal.features import FeatureFrames, FeatureStream
from follower.tracking.confidence import MIN_MAP_CONFIDENCE, SILENCE_S
from follower.tracking.evidence import MAX_SETTLED, Evidence
from follower.tracking.tracker import Tracker

PLACE = ("bias", "decades", "margin", "new")
RIGHT = ("bias", "decades", "settled", "margin", "silence", "map")


def work_of(name: str) -> str:
    """The work a scenario is a performance of, by its name.

    >>> work_of("pub2_01_schumann_tutti"), work_of("rt_pub_rach2_a"), work_of("dev02_mozart_k466_skip--noise-20dB")
    ('schumann', 'rach2', 'mozart')
    """
    words = [w for w in name.split("--")[0].split("_") if not re.fullmatch(r"[a-z]*\d{1,2}|rt|pub|long|free", w)]
    return next((w for w in name.split("_") if w == "rach2"), words[0] if words else name)


def place_row(e: Evidence) -> tuple[float, ...]:
    """What `on_track_log_odds` weighs."""
    return e.log10_odds, e.margin, math.exp(-e.age_s)


def right_row(e: Evidence, map_confidence: float) -> tuple[float, ...]:
    """What `confidence` weighs."""
    return (
        min(e.log10_odds, MAX_SETTLED),
        e.settled,
        min(e.margin, 0.0),
        1.0 - math.exp(-e.silent_s / SILENCE_S),
        math.log(max(map_confidence, MIN_MAP_CONFIDENCE)),
    )


def follow(piece: Piece, frames: FeatureFrames, method: str) -> list[tuple[Position, Evidence]]:
    """Run frontier and tracker over a performance's frames."""
    frontier, tracker = create_frontier(method, piece), Tracker(piece, piece.feature_config.sample_rate_hz)
    out = []
    for k, (pitch, mfcc, rms) in enumerate(zip(frames.pitch, frames.mfcc, frames.rms, strict=True)):
        belief = frontier.update(Frame(pitch, mfcc, float(rms)), tracker.mix_s)
        told = tracker.update(belief, (k + 1) * piece.feature_config.hop_samples)
        out += [(e, tracker.evidence) for e in told if isinstance(e, Position)]
    return out


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="+", type=Path)
    parser.add_argument("--caches", type=Path, help="keep prepared caches here")
    parser.add_argument("--method", choices=tuple(METHODS), default=DEFAULT_METHOD)
    args = parser.parse_args()
    place: list[tuple[str, bool, tuple[float, ...]]] = []
    right: list[tuple[str, float, tuple[float, ...]]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for folder in args.scenarios:
            bench = Workbench(load_scenario(folder), Settings(args.caches or Path(temporary)))
            name, truth = work_of(bench.scenario.name), bench.scenario.truth
            told = follow(bench.piece, _frames(bench), args.method)
            known = [(p, e) for p, e in told if p.orchestra_time_s is not None and p.mix_time_s is not None]
            at = np.array([p.audio_time_s for p, _ in known])
            mix_s = np.array([p.mix_time_s for p, _ in known], dtype=np.float64)
            orchestra_s = np.array([p.orchestra_time_s for p, _ in known], dtype=np.float64)
            off = np.abs(mix_s - np.interp(at, truth.piano_s, truth.mix_s))
            row = np.clip(np.searchsorted(truth.piano_s, at), 0, len(truth.piano_s) - 1)
            judged = (np.abs(truth.piano_s[row] - at) < 0.06) & ((off > 1.0) | (off <= 0.5))
            place += [
                (name, bool(off[i] > 1.0), place_row(known[i][1]))
                for i in np.flatnonzero(judged)
                if known[i][1].silent_s == 0
            ]
            estimates = Estimates.build(at, orchestra_s, np.array([p.rate for p, _ in known]))
            error = np.abs(live_errors(estimates, truth.beat_s, truth.beat_orchestra_s))
            for k, e in zip(estimates.newest(truth.beat_s), error, strict=True):
                if k >= 0:
                    sure = float(bench.piece.map.confidence_at(mix_s[k]))
                    right.append((name, float(e), right_row(known[k][1], sure)))
    _fit_place(place)
    _fit_right(right)


def _frames(bench: Workbench) -> FeatureFrames:
    from offline_prep.audio import load_recording

    recording = load_recording(bench.scenario.piano)
    stream = FeatureStream(bench.piece.feature_config, recording.sample_rate_hz)
    return stream.extract(recording.samples)


def _regress(
    x: NDArray[np.float64], y: NDArray[np.bool_], works: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients, the bias first, of all data, and probabilities cross-validated over works."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = GroupKFold(min(6, len(set(works))))
    probability = cross_val_predict(model, x, y, groups=works, cv=folds, method="predict_proba")[:, 1]
    model.fit(x, y)
    slopes = model[1].coef_[0] / model[0].scale_
    return np.concatenate([model[1].intercept_ - np.sum(slopes * model[0].mean_), slopes]), probability


def _fit_place(rows: list[tuple[str, bool, tuple[float, ...]]]) -> None:
    wrong = np.array([r[1] for r in rows])
    found, probability = _regress(np.array([r[2] for r in rows]), ~wrong, [r[0] for r in rows])
    alarm = np.quantile(probability[~wrong], 0.01)
    print("place:", ", ".join(f"{n} {c:.2f}" for n, c in zip(PLACE, found, strict=True)))
    print(
        f"  {len(wrong)} instants, {wrong.sum()} wrong: {100 * np.mean(probability[wrong] < alarm):.0f} % found at 1 %"
    )


def _fit_right(rows: list[tuple[str, float, tuple[float, ...]]]) -> None:
    error = np.array([r[1] for r in rows])
    found, probability = _regress(np.array([r[2] for r in rows]), error <= 0.2, [r[0] for r in rows])
    surest = np.argsort(-probability, kind="stable")[: round(0.94 * len(error))]
    print("right:", ", ".join(f"{n} {c:.2f}" for n, c in zip(RIGHT, found, strict=True)))
    print(f"  {len(error)} beats; of the surest 94 % {100 * np.mean(error[surest] > 0.5):.2f} % off by over 500 ms")
    for low in np.arange(0, 1, 0.2):
        inside = (probability >= low) & (probability < low + 0.2001)
        if inside.any():
            share = np.mean(error[inside] <= 0.2)
            print(f"  {low:.1f}-{low + 0.2:.1f}: {inside.sum():5d} beats, within 200 ms {share:.2f}")


if __name__ == "__main__":
    main()
