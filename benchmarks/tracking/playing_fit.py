"""Fits the numbers of `follower/tracking/playing_odds.py` and cross-validates them over works.

    python -m benchmarks.tracking.playing_fit SCENARIO... [--caches DIR] [--recorded DIR] [--method M] [--folds N]
        [--record]

The scenarios need stops of the pianist (conditions `pause-*` of benchmarks/evaluation/conditions.py) and rests (their
truth.csv says where the piano does not sound). Minimises the mean log loss over three kinds of silent hops: the piano
rests (first 0.3 s left out), the pianist has stopped (0.9 to 3 s after the last note), anything else; each kind counts
as much as the others. Prints the numbers and, for stops and rests of works they were not fitted to, how many stops are
called within 1.5 s, how many rests are taken for a stop, how often a playing pianist is taken to have stopped, and how
many of the entries after rests, were they left out, would be noticed within 8 s.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.model_selection import GroupKFold

from benchmarks.results import add_option, record
from benchmarks.tracking.confidence_fit import work_of
from benchmarks.tracking.recorded import Recorded, add_arguments, of_arguments
from follower.evaluation.pauses import pauses_of_truth
from follower.evaluation.scenario import read_columns
from follower.inference.base import Belief
from follower.tracking import playing_odds as odds

NAMES = ("ACTIVITY_WEIGHT", "RESTS_PER_S", "ENTRIES_PER_S", "SILENCE_PER_S", "ACTIVE_PER_S")
SHORTEST_REST_S = 2.0
QUIET = 0.3
"""Median presence below which the piano is silent in a passage of the orchestra."""
MAX_LOG = 8.0
CALLED_S = 1.5
NOTICED_S = 8.0

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Take:
    """A performance as `Listening` hears it. Arrays of shape (n,), a value per hop.

    Attributes:
        work: what was played.
        hop_s: seconds per hop.
        note: whether a new note (or a jump) came.
        silent: whether the piano was silent.
        frame: of the mix, where the pianist would be.
        activity: (m,) the mix's piano activity, at its level.
        kind: 0 playing, 1 resting, 2 stopped, -1 not to be judged.
        stops: first and last hop of each stop.
        rests: first and last hop of each rest.
    """

    work: str
    hop_s: float
    note: Bools
    silent: Bools
    frame: NDArray[np.int64]
    activity: Floats
    kind: NDArray[np.int64]
    stops: tuple[tuple[int, int], ...]
    rests: tuple[tuple[int, int], ...]


class Recorder(odds.Listening):
    """Keeps what a fit needs of each hop."""

    def __init__(self, sections: odds.Sections, hop_s: float) -> None:
        self.rows: list[tuple[bool, bool, int]] = []
        super().__init__(sections, hop_s)

    def update(self, belief: Belief, position_s: float, tempo: float, orchestra_tempo: float) -> odds.PlayingOdds:
        """Take a hop."""
        found = super().update(belief, position_s, tempo, orchestra_tempo)
        self.rows.append((self._since_s == 0.0, belief.presence < odds.SILENCE, self._frame))
        return found


@njit(cache=False)  # type: ignore[untyped-decorator]
def follow(
    note: Bools, silent: Bools, frame: NDArray[np.int64], against: Floats, leaves: Floats, enters: Floats,
    hop_s: float, rest_at_note: float,
) -> tuple[Floats, Floats]:  # fmt: skip
    """`Listening` over a whole take: log odds of a stop less their bias, and the probability of a rest."""
    stopped, resting = np.empty(len(note)), np.empty(len(note))
    plays, rests, at = 1.0 - rest_at_note, rest_at_note, 0
    for k in range(len(note)):
        if note[k]:
            plays, rests, at = 1.0 - rest_at_note, rest_at_note, frame[k]
        else:
            for j in range(at, frame[k]):
                plays, rests = (
                    plays * (1 - leaves[j]) + rests * enters[j],
                    plays * leaves[j] + rests * (1 - enters[j]),
                )
            at = max(at, frame[k])
            if silent[k]:
                plays *= math.exp(-hop_s * against[at])
        left = max(plays + rests, 1e-300)
        stopped[k], resting[k] = -math.log(left), rests / left
    return stopped, resting


def listen(made: Recorded) -> Take:
    """Run the tracker over a performance and keep what `Listening` hears."""
    piece, truth = made.piece, made.scenario.truth
    hop_s = piece.feature_config.hop_s
    sections = odds.Sections(piece.piano_activity.astype(np.float64), hop_s)
    recorder = Recorder(sections, hop_s)
    tracker = made.tracker()
    tracker.listening = recorder
    rows, estimated, presence = [], [], []
    for k, belief in enumerate(made.beliefs()):
        recorder.rows.clear()
        tracker.update(belief, (k + 1) * piece.feature_config.hop_samples)
        rows.append(recorder.rows[-1] if recorder.rows else (True, False, 0))
        estimated.append(bool(recorder.rows))
        presence.append(belief.presence)
    note, silent, frame = (np.array(column) for column in zip(*rows, strict=True))
    at_s = hop_s * np.arange(1, len(note) + 1)
    pauses = pauses_of_truth(truth.piano_s, truth.orchestra_s)
    stops = [(float(truth.piano_s[i - 1]), float(truth.piano_s[i])) for i in pauses]
    rests = _rests(made.scenario.folder, np.array(presence), hop_s)
    kind = np.zeros(len(note), np.int64)
    for begin, end in rests:
        kind[(at_s > begin - 0.5) & (at_s < end + 0.5)] = -1
        kind[(at_s > begin + 0.3) & (at_s <= end)] = 1
    for begin, end in stops:
        kind[(at_s > begin) & (at_s < end + 0.3)] = -1
        kind[(at_s > begin + 0.9) & (at_s < min(begin + 3.0, end))] = 2
    kind[~silent | note | ~np.array(estimated)] = -1
    kind[(at_s < truth.piano_s[0]) | (at_s > truth.piano_s[-1])] = -1
    clear = [s for s in stops if not any(a - 0.5 < s[0] < b + 0.5 for a, b in rests)]
    return Take(
        work_of(made.scenario.name),
        hop_s,
        note,
        silent,
        frame,
        sections.activity,
        kind,
        _hops(clear, hop_s),
        _hops(rests, hop_s),
    )


def _hops(spans: list[tuple[float, float]], hop_s: float) -> tuple[tuple[int, int], ...]:
    return tuple((int(a / hop_s), int(b / hop_s)) for a, b in spans)


def _rests(folder: Path, presence: Floats, hop_s: float) -> list[tuple[float, float]]:
    """Begin and end (s) of the passages in which the piano is silent and the truth says that it rests."""
    piano_s, both = read_columns(folder / "truth.csv", ("p", "both"))
    edges = np.flatnonzero((np.diff(both) != 0) | (np.diff(piano_s) > 0.1)) + 1
    out = []
    for part in np.split(np.arange(len(both)), edges):
        begin, end = float(piano_s[part[0]]), float(piano_s[part[-1]])
        quiet = np.median(presence[int(begin / hop_s) : int(end / hop_s) + 1]) < QUIET
        if both[part[0]] == 0 and end - begin >= SHORTEST_REST_S and quiet:
            out.append((begin, end))
    return out


def odds_of(take: Take, numbers: Floats) -> tuple[Floats, Floats]:
    """Log odds of a stop and probability of a rest in each hop; `numbers`: the bias, then the logs of `NAMES`."""
    weight, rests, entries, silence, active = np.exp(numbers[1:])
    leaves, enters = odds.hazards(take.activity, take.hop_s, weight, rests, entries)
    against = odds.silence_rate(take.activity, silence, active)
    stopped, resting = follow(
        take.note, take.silent, take.frame, against, leaves, enters, take.hop_s, odds.REST_AT_NOTE
    )
    return numbers[0] + stopped, resting


def loss(numbers: Floats, takes: list[Take]) -> float:
    """Mean log loss, each kind of hop counting the same; infinite where a number has run away."""
    if np.any(np.abs(numbers[1:]) > MAX_LOG):
        return math.inf
    total, n = np.zeros(3), np.full(3, 1e-9)
    for take in takes:
        stopped, resting = odds_of(take, numbers)
        p = 1 / (1 + np.exp(-np.clip(stopped, -30, 30)))
        for kind, right in enumerate((1 - p, (1 - p) * resting, p)):
            judged = take.kind == kind
            total[kind] -= np.sum(np.log(np.maximum(right[judged], 1e-4)))
            n[kind] += judged.sum()
    return float(np.sum(total / n))


def fit(takes: list[Take], start: Floats) -> Floats:
    """The numbers of least loss."""
    return np.asarray(minimize(loss, start, args=(takes,), method="Nelder-Mead", options={"maxfev": 600}).x)


@dataclass(frozen=True)
class Events:
    """Counts of what happened to stops, rests and playing."""

    stops: int
    called: int
    rests: int
    taken: int
    entries: int
    noticed: int
    false_stops: int
    minutes: float

    def __add__(self, other: Events) -> Events:
        return Events(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def __str__(self) -> str:
        return (
            f"{self.called} of {self.stops} stops called within {CALLED_S} s, {self.taken} of {self.rests} rests taken "
            f"for a stop, {self.noticed} of {self.entries} left out entries noticed within {NOTICED_S:.0f} s, "
            f"{self.false_stops / self.minutes:.2f} stops a minute called in playing"
        )


NO_EVENTS = Events(0, 0, 0, 0, 0, 0, 0, 0.0)


def events(take: Take, numbers: Floats) -> Events:
    """What these numbers make of a take."""
    stopped, _ = odds_of(take, numbers)
    said = (stopped > 0) & take.silent & ~take.note
    called = sum(bool(np.any(said[a : min(b, a + int(CALLED_S / take.hop_s))])) for a, b in take.stops)
    taken = sum(bool(np.any(said[a:b])) for a, b in take.rests)
    playing = said & (take.kind == 0)
    false = int(np.sum(playing[1:] & ~playing[:-1]))
    entries = [silent_after(take, a, b) for a, b in take.rests]
    noticed = sum(bool(np.any(odds_of(left_out, numbers)[0][before:] > 0)) for left_out, before in entries)
    minutes = len(said) * take.hop_s / 60
    return Events(len(take.stops), called, len(take.rests), taken, len(entries), noticed, false, minutes)


def silent_after(take: Take, begin: int, end: int) -> tuple[Take, int]:
    """A rest whose entry is left out: `NOTICED_S` of silence after it; and the hop at which the entry should come."""
    first, n = max(begin - 40, 0), round(NOTICED_S / take.hop_s)
    frame = np.minimum(take.frame[end] + np.arange(1, n + 1), len(take.activity) - 1)
    left_out = replace(
        take,
        note=np.concatenate([take.note[first : end + 1], np.zeros(n, np.bool_)]),
        silent=np.concatenate([take.silent[first : end + 1], np.ones(n, np.bool_)]),
        frame=np.concatenate([take.frame[first : end + 1], frame]),
    )
    return left_out, end + 1 - first


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--folds", type=int, default=5)
    add_option(parser)
    args = parser.parse_args()
    takes = [listen(made) for made in of_arguments(args)]
    start = np.array([odds.STOP_BIAS, *(math.log(getattr(odds, name)) for name in NAMES)])
    now = sum((events(t, start) for t in takes), NO_EVENTS)
    print(f"now:    loss {loss(start, takes):.3f};", now)
    found = fit(takes, start)
    fitted = sum((events(t, found) for t in takes), NO_EVENTS)
    print(f"fitted: loss {loss(found, takes):.3f};", fitted)
    print(f"  STOP_BIAS {found[0]:.2f}", *(f"{n} {math.exp(x):.4g}" for n, x in zip(NAMES, found[1:], strict=True)))
    works = [take.work for take in takes]
    held_out = NO_EVENTS
    for train, test in GroupKFold(min(args.folds, len(set(works)))).split(works, groups=works):
        numbers = fit([takes[i] for i in train], found)
        held_out = sum((events(takes[i], numbers) for i in test), held_out)
    print("cross-validated over works:", held_out)
    if args.record:
        record("playing_fit", {"now": asdict(now), "fitted": asdict(fitted), "cross-validated": asdict(held_out)})


if __name__ == "__main__":
    main()
