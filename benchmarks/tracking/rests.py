"""Fits what tells a rest from a stop: the mix's piano activity just after the last note, on annotated performances.

    python -m benchmarks.tracking.rests SCENARIO... [--caches DIR] [--jobs N] [--record]

Rests are silences of the live piano of `StateConfig.decide_after_s` or more while the truth runs on. Stops are not
recorded but made: about once a second of playing, the piano could have stopped there while the mix's piano goes on.
A logistic regression on the log odds of the mean activity over `ActivityConfig.expect_s`, both classes equally likely
beforehand, gives the threshold `expect_above`. Prints what it is worth on works it was not fitted to, beside the
threshold in use and the former rule of five constants; with `--record` also into `benchmarks/results/rests.json`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.results import Row, add_option, print_rows, record
from benchmarks.tracking.confidence_rows import work_of
from follower.evaluation.scenario import Truth, load_scenario
from follower.evaluation.systems.workbench import Settings, Workbench
from follower.inference.tempo_filter import TempoFilterConfig
from follower.piece.piece import Piece, StreamFeatures
from follower.signal.observation import LiveObserver, observe_reference
from follower.tracking.piano_activity import ActivityConfig
from follower.tracking.playing_state import StateConfig

USE: Final = ActivityConfig()
DECIDE_S: Final = StateConfig().decide_after_s
STOP_EVERY_S: Final = 1.0
"""Seconds of playing from one made-up stop to the next."""
PLAYING_S: Final = 1.2
"""Of this long before a rest, `PLAYING_SHARE` must sound: a lone chord in a rest begins none."""
PLAYING_SHARE: Final = 0.4
GOES_ON_S: Final = 1.4
"""A place to stop is one where the live piano sounds through this long, but for `SILENT_SHARE`."""
SILENT_SHARE: Final = 0.2
AHEAD_S: Final = 2.1
"""The truth must be known for this long after a place to stop."""
TRUTH_STEP_S: Final = 0.3
"""Rows of the truth further apart than this have a pause or a jump of the pianist between them."""
EXTREME: Final = 0.03
"""Activities are kept this far from 0 and 1 before their log odds are taken."""
COMMAND: Final = "python -m benchmarks.tracking.rests SCENARIO... --record"


@dataclass(frozen=True, slots=True)
class Silence:
    """A rest, or a place where the piano might have stopped.

    Attributes:
        work: what was played.
        rest: whether it is a rest.
        activity: mean of the mix's piano activity over `expect_s` from `release_s` after the last note on, 0..1.
        former: whether the former rule calls it a stop.
    """

    work: str
    rest: bool
    activity: float
    former: bool


class Activity:
    """Means of a mix's piano activity.

    Args:
        activity: (n,) 0..1.
        hop_s: seconds per frame.

    Example:
        >>> Activity(np.repeat([1.0, 0.0], 50), 0.1).mean(4.5, 5.5)
        0.5
    """

    def __init__(self, activity: NDArray[np.floating], hop_s: float) -> None:
        self._activity = activity.astype(np.float64)
        self._hop_s = hop_s

    def mean(self, from_s: float, to_s: float) -> float:
        """Mean between two positions of the mix (s), of one frame at least."""
        n = len(self._activity)
        first = min(max(round(from_s / self._hop_s), 0), n - 1)
        end = min(max(round(to_s / self._hop_s), first + 1), n)
        return float(np.mean(self._activity[first:end]))


def former_rule(activity: Activity, places_s: Sequence[float], hop_s: float) -> bool:
    """Did the former rule call a silence a stop?

    It asked at the estimate itself: a stop where the next 2 s have piano, but up to 2 s of silence not after a gap of
    the mix's piano; where they have none a rest, unless the activity was low before, too, and says nothing. A silence
    that ends undecided was called neither.

    Args:
        activity: of the mix.
        places_s: positions in the mix of each hop of the silence, from `DECIDE_S` on.
        hop_s: seconds per hop.
    """
    undecided = round((2.0 - DECIDE_S) / hop_s)
    for k, at_s in enumerate(places_s):
        if activity.mean(at_s, at_s + 2.0) <= 0.5:
            return activity.mean(at_s - 4.0, at_s) < 0.4
        if k >= undecided or activity.mean(at_s - 0.4, at_s) >= 0.3:
            return True
    return False


def presence_of(piece: Piece, live: StreamFeatures) -> NDArray[np.float64]:
    """How surely the live piano sounds in each hop, (n,) 0..1."""
    config = TempoFilterConfig()
    reference = observe_reference(piece.mix.pitch, piece.feature_config.hop_s, config.observation)
    observer = LiveObserver(piece.feature_config, reference, config.observation, config.start)
    return np.array([observer.observe(pitch).presence for pitch in live.pitch])


def rests_and_stops(presence: NDArray[np.float64], truth: Truth, hop_s: float) -> Iterator[tuple[bool, int, int]]:
    """Whether it is a rest, the hop of the last note before it, and the hop after its last silent one.

    Args:
        presence: (n,) of each hop, 0..1.
        truth: of the performance.
        hop_s: seconds per hop.
    """
    silent = presence < TempoFilterConfig().silence
    known = _known(truth, hop_s * np.arange(1, len(presence) + 1, dtype=np.float64))
    changes = np.flatnonzero(np.diff(silent.astype(np.int8), prepend=0, append=0))
    playing, goes_on, ahead = (round(s / hop_s) for s in (PLAYING_S, GOES_ON_S, AHEAD_S))
    for begin, end in zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True):
        if (end - begin) * hop_s < DECIDE_S or begin < playing or end == len(silent):
            continue
        if known[begin:end].all() and np.mean(~silent[begin - playing : begin]) > PLAYING_SHARE:
            yield True, begin - 1, end
    for k in range(playing, len(silent) - ahead, round(STOP_EVERY_S / hop_s)):
        sounds = not silent[k - playing // 8 : k + 1].any() and np.mean(silent[k : k + goes_on]) < SILENT_SHARE
        if sounds and known[k : k + ahead].all():
            yield False, k, k + ahead


def _known(truth: Truth, at_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Is the truth known at these instants, without a pause or jump of the pianist round them?"""
    after = np.clip(np.searchsorted(truth.piano_s, at_s), 1, len(truth.piano_s) - 1)
    step_s = truth.piano_s[after] - truth.piano_s[after - 1]
    inside = (at_s >= truth.piano_s[0]) & (at_s <= truth.piano_s[-1])
    mix_known = np.isfinite(truth.mix_s[after]) & np.isfinite(truth.mix_s[after - 1])
    return np.asarray(inside & mix_known & (step_s <= TRUTH_STEP_S))


def gather(folder: Path, caches: Path) -> list[Silence]:
    """Rests and stops of a scenario."""
    from offline_prep.audio import load_recording
    from offline_prep.compute import stream_features

    bench = Workbench(load_scenario(folder), Settings(caches))
    piece, scenario = bench.piece, bench.scenario
    hop_s, truth = piece.feature_config.hop_s, scenario.truth
    live = stream_features(load_recording(scenario.piano), piece.feature_config, lambda _stage, _share: None)
    activity = Activity(piece.piano_activity, hop_s)
    mix_s = np.interp(hop_s * np.arange(1, len(live.pitch) + 1), truth.piano_s, truth.mix_s)
    decide = round(DECIDE_S / hop_s)
    found = []
    for rest, last, end in rests_and_stops(presence_of(piece, live), truth, hop_s):
        from_s = float(mix_s[last]) + USE.release_s
        after = activity.mean(from_s, from_s + USE.expect_s)
        former = former_rule(activity, mix_s[last + decide : end].tolist(), hop_s)
        found.append(Silence(work_of(scenario.name), rest, after, former))
    return found


def log_odds(activity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log odds of activities, kept from the extremes."""
    kept = np.clip(activity, EXTREME, 1 - EXTREME)
    return np.asarray(np.log(kept / (1 - kept)))


def threshold(silences: Sequence[Silence]) -> float:
    """Activity at which a rest and a stop are equally likely, when there are as many of both."""
    stop = np.array([not s.rest for s in silences])
    odds = log_odds(np.array([s.activity for s in silences]))
    share = np.where(stop, np.mean(~stop) / np.mean(stop), 1.0)
    model = LogisticRegression().fit(odds[:, None], stop, sample_weight=share)
    return float(1 / (1 + np.exp(model.intercept_[0] / model.coef_[0, 0])))


def leave_one_out(silences: Sequence[Silence]) -> dict[str, float]:
    """For each work the threshold of all others."""
    return {w: threshold([s for s in silences if s.work != w]) for w in dict.fromkeys(s.work for s in silences)}


def score(rule: str, silences: Sequence[Silence], called_stop: Sequence[bool], thresholds: Sequence[float]) -> Row:
    """A row: how many rests a rule takes for stops and how many stops for rests."""
    rest = np.array([s.rest for s in silences])
    stop = np.array(called_stop)
    return {
        "rule": rule,
        "threshold": " to ".join(dict.fromkeys(f"{t:.2f}" for t in thresholds)),
        "rests": int(rest.sum()),
        "rests_called_stops_pct": round(100 * float(np.mean(stop[rest])), 1),
        "stops": int((~rest).sum()),
        "stops_called_rests_pct": round(100 * float(np.mean(~stop[~rest])), 1),
    }


def compare(silences: Sequence[Silence]) -> list[Row]:
    """The former rule, the fit on works it has not seen, on all, and the threshold in use."""
    folds, fitted = leave_one_out(silences), threshold(silences)
    unseen = [s.activity > folds[s.work] for s in silences]
    extremes = (min(folds.values()), max(folds.values()))
    return [
        score("former, five constants", silences, [s.former for s in silences], ()),
        score("each work by the others' fit", silences, unseen, extremes),
        score("fitted on all", silences, [s.activity > fitted for s in silences], (fitted,)),
        score("in use", silences, [s.activity > USE.expect_above for s in silences], (USE.expect_above,)),
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
        work = partial(gather, caches=args.caches or Path(temporary))
        silences = [s for found in pool.map(work, args.scenarios) for s in found]
    rows = compare(silences)
    print(f"{len(args.scenarios)} recordings of {len({s.work for s in silences})} works")
    print_rows(rows)
    if args.record:
        record("rests", rows, COMMAND)


if __name__ == "__main__":
    main()
