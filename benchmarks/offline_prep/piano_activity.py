"""Fits the weights of the piano activity: what tells frames of the full mix with piano from those without.

    python -m benchmarks.offline_prep.piano_activity SCENARIO... [--caches DIR] [--jobs N] [--record]

A frame of the mix has piano where the live piano of an annotated performance sounds at the same place of the music, and
none where it is silent for a third of a second. Every recording counts the same among frames with piano; among those
without, by the root of their number. A logistic regression on `offline_prep.piano_activity.signs`, both classes equally
likely beforehand. Prints the weights, and how many frames are called wrongly, each work by a fit that has not seen it;
with `--record` also into `benchmarks/results/piano_activity.json`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks.results import Row, add_option, print_rows, record
from benchmarks.tracking.confidence_rows import work_of
from benchmarks.tracking.rests import presence_of
from follower.evaluation.scenario import Truth, load_scenario
from follower.evaluation.systems.workbench import Settings, Workbench
from follower.inference.tempo_filter import TempoFilterConfig
from offline_prep.audio import load_recording
from offline_prep.compute import stream_features
from offline_prep.orchestra_model import MixMixtures, unexplained_activity
from offline_prep.piano_activity import SIGNS, PianoActivityConfig, signs

SPAN_FRAMES: Final = 15
"""A third of a second."""
SOUNDS: Final = 0.6
"""Share of the span that sounds where there is piano."""
RESTS: Final = 0.1
"""Share of the span that sounds where there is none."""
EVERY: Final = 8
"""Frames from one that is fitted to the next: neighbours say the same."""
LEAST_RESTS: Final = 5
"""So many such frames without piano make a recording count among the rests."""
COMMAND: Final = "python -m benchmarks.offline_prep.piano_activity SCENARIO... --record"


@dataclass(frozen=True, slots=True)
class Frames:
    """Labelled frames of a full mix.

    Attributes:
        work: what is played.
        signs: (k, 7) see `SIGNS`.
        former: (k,) activity by what the orchestra does not explain alone.
        piano: (k,) whether there is piano.
    """

    work: str
    signs: NDArray[np.float64]
    former: NDArray[np.float64]
    piano: NDArray[np.bool_]


def labels(presence: NDArray[np.float64], truth: Truth, mix_s: NDArray[np.float64], hop_s: float) -> NDArray[np.int64]:
    """For each position of the mix (s) 1 with piano, 0 without, -1 where that is not known."""
    sounding = uniform_filter1d((presence > TempoFilterConfig().silence).astype(np.float64), SPAN_FRAMES)
    known = np.isfinite(truth.mix_s)
    order = np.argsort(truth.mix_s[known], kind="stable")
    at, piano_s = truth.mix_s[known][order], truth.piano_s[known][order]
    hop = np.clip((np.interp(mix_s, at, piano_s) / hop_s).astype(np.int64), 0, len(presence) - 1)
    label = np.where(sounding[hop] > SOUNDS, 1, np.where(sounding[hop] < RESTS, 0, -1))
    label[(mix_s <= at[0]) | (mix_s >= at[-1])] = -1
    return label


def gather(folder: Path, caches: Path) -> Frames:
    """The labelled frames of a scenario's mix."""
    bench = Workbench(load_scenario(folder), Settings(caches))
    piece, features = bench.piece, bench.piece.feature_config
    live = stream_features(load_recording(bench.scenario.piano), features, lambda _stage, _share: None)
    mix_s = features.hop_s * np.arange(1, len(piece.mix.pitch) + 1, dtype=np.float64)
    label = labels(presence_of(piece, live), bench.scenario.truth, mix_s, features.hop_s)
    label[piece.map.in_cut(mix_s)] = -1
    kept = np.flatnonzero(label >= 0)[::EVERY]
    mixtures = MixMixtures(piece.gmm.orchestra, piece.gmm.piano)
    x = signs(piece.mix, piece.orchestra, piece.map, mixtures, features)
    former = unexplained_activity(piece.mix.pitch, piece.orchestra.pitch, piece.map, features)
    return Frames(work_of(bench.scenario.name), x[kept], former[kept].astype(np.float64), label[kept] == 1)


def shares(recordings: Sequence[Frames]) -> NDArray[np.float64]:
    """How much each frame counts: both classes the same in all."""
    weights = []
    for r in recordings:
        rests = int(np.sum(~r.piano))
        of_rests = 1 / np.sqrt(rests) if rests > LEAST_RESTS else 0.0
        weights.append(np.where(r.piano, 1 / max(len(r.piano) - rests, 1), of_rests))
    weight, piano = np.concatenate(weights), np.concatenate([r.piano for r in recordings])
    for one in (piano, ~piano):
        weight[one] *= len(piano) / 2 / max(float(weight[one].sum()), 1e-9)
    return weight


def fit(recordings: Sequence[Frames]) -> PianoActivityConfig:
    """Weights and bias fitted to these recordings."""
    x, piano = np.concatenate([r.signs for r in recordings]), np.concatenate([r.piano for r in recordings])
    spread = x.std(axis=0)
    model = LogisticRegression(max_iter=500).fit(x / spread, piano, sample_weight=shares(recordings))
    return PianoActivityConfig(tuple((model.coef_[0] / spread).tolist()), float(model.intercept_[0]))


def log_odds(config: PianoActivityConfig, frames: Frames) -> NDArray[np.float64]:
    """Of the piano in labelled frames."""
    return np.asarray(frames.signs @ np.array(config.weights) + config.bias)


def score(rule: str, recordings: Sequence[Frames], odds: Sequence[NDArray[np.float64]]) -> Row:
    """A row: how a rule's log odds tell the classes apart."""
    weight, piano = shares(recordings), np.concatenate([r.piano for r in recordings])
    all_odds = np.concatenate(odds)
    return {
        "rule": rule,
        "frames": len(piano),
        "area_under_roc": round(float(roc_auc_score(piano, all_odds, sample_weight=weight)), 3),
        "rests_called_piano_pct": round(100 * float(np.average(all_odds[~piano] > 0, weights=weight[~piano])), 1),
        "piano_called_rest_pct": round(100 * float(np.average(all_odds[piano] <= 0, weights=weight[piano])), 1),
    }


def compare(recordings: Sequence[Frames]) -> list[Row]:
    """The unexplained share alone, the fit on works it has not seen, and the weights in use."""
    works = dict.fromkeys(r.work for r in recordings)
    folds = {w: fit([r for r in recordings if r.work != w]) for w in works}
    kept = [np.clip(r.former, 1e-6, 1 - 1e-6) for r in recordings]
    return [
        score("unexplained share alone", recordings, [np.log(a / (1 - a)) for a in kept]),
        score("each work by the others' fit", recordings, [log_odds(folds[r.work], r) for r in recordings]),
        score("in use", recordings, [log_odds(PianoActivityConfig(), r) for r in recordings]),
    ]


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="+", type=Path, metavar="SCENARIO")
    parser.add_argument("--caches", type=Path, help="keep prepared caches here")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    add_option(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, ProcessPoolExecutor(args.jobs) as pool:
        recordings = list(pool.map(partial(gather, caches=args.caches or Path(temporary)), args.scenarios))
    fitted = fit(recordings)
    for sign, weight in zip(SIGNS, fitted.weights, strict=True):
        print(f"{sign:28s}{weight:8.3f}")
    print(f"{'bias':28s}{fitted.bias:8.3f}")
    rows = compare(recordings)
    print(f"{len(recordings)} recordings of {len({r.work for r in recordings})} works")
    print_rows(rows)
    if args.record:
        record("piano_activity", rows, COMMAND)


if __name__ == "__main__":
    main()
