"""Fits what tells a rest from a stop: the piano that the mix has while the live one is silent, in performances.

    python -m benchmarks.tracking.rests SCENARIO... [--caches DIR] [--jobs N] [--record]

Rests are silences of the live piano of `StateConfig.decide_after_s` or more while the truth runs on. Stops are not
recorded but made: about once a second of playing, the piano could have stopped there while the mix's piano goes on. In
both, `MissedPiano` gathers nats along the course of the mix's activity, and `PianoActivity.expected` looks ahead from
the last note. Prints, for some values of `memory_s` and of `expect_above`, how many stops are called in time where a
tenth of the other works' rests is called a stop; with `--record` also into `benchmarks/results/rests.json`.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import Row, add_option, print_rows, record
from benchmarks.tracking.confidence_rows import work_of
from follower.config import FeatureConfig
from follower.evaluation.scenario import Truth, load_scenario
from follower.evaluation.systems.workbench import Settings, Workbench
from follower.inference.tempo_filter import TempoFilterConfig
from follower.piece.piece import Piece, StreamFeatures
from follower.signal.observation import LiveObserver, observe_reference
from follower.tracking.piano_activity import ActivityConfig, MissedPiano, PianoActivity
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
AHEAD_S: Final = 4.1
"""The truth must be known for this long after a place to stop."""
TRUTH_STEP_S: Final = 0.3
"""Rows of the truth further apart than this have a pause or a jump of the pianist between them."""
ALLOWED: Final = 0.1
"""Share of the rests that may be called stops."""
SOON_S: Final = 1.5
"""A stop should be called within this long."""
LATE_S: Final = 4.0
"""A stop is looked at for this long."""
MEMORIES_S: Final = (0.5, 1.0, 2.0, 4.0, 1000.0)
EXPECT_ABOVE: Final = (0.6, 0.7, 0.8)
NEVER: Final = 0.9999
"""No mean activity is above."""
COMMAND: Final = "python -m benchmarks.tracking.rests SCENARIO... --record"


@dataclass(frozen=True, slots=True)
class Silence:
    """A rest, or a place where the piano might have stopped.

    Attributes:
        work: what was played.
        rest: whether it is a rest.
        course: (k,) the mix's piano activity, hop by hop from the last note on, 0..1.
    """

    work: str
    rest: bool
    course: NDArray[np.float64]


def gathered(course: NDArray[np.float64], hop_s: float, config: ActivityConfig) -> NDArray[np.float64]:
    """Nats of missed piano after each hop of a silence, (k,), as the tracker gathers them."""
    at_s = hop_s * np.arange(len(course))
    missed = MissedPiano(PianoActivity(course, hop_s, config), hop_s)
    nats = np.empty(len(course))
    for k, mix_s in enumerate(at_s.tolist()):
        missed.update(hop_s * (k + 1), mix_s)
        nats[k] = missed.nats
    return nats


def presence_of(piece: Piece, live: StreamFeatures) -> NDArray[np.float64]:
    """How surely the live piano sounds in each hop, (n,) 0..1."""
    config = TempoFilterConfig()
    reference = observe_reference(piece.mix.pitch, piece.feature_config.hop_s, config.observation)
    observer = LiveObserver(piece.feature_config, reference.typical_norms, config.observation, config.start)
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
    mix_s = np.interp(hop_s * np.arange(1, len(live.pitch) + 1), truth.piano_s, truth.mix_s)
    frame = np.clip(np.rint(mix_s / hop_s).astype(np.int64) - 1, 0, len(piece.piano_activity) - 1)
    course = piece.piano_activity.astype(np.float64)[frame]
    ahead = round(LATE_S / hop_s)
    return [
        Silence(work_of(scenario.name), rest, course[last : end if rest else last + ahead])
        for rest, last, end in rests_and_stops(presence_of(piece, live), truth, hop_s)
    ]


def peaks(
    silences: Sequence[Silence], hop_s: float, config: ActivityConfig, within_s: Sequence[float]
) -> NDArray[np.float64]:
    """Most nats of each silence from `DECIDE_S` on, of a stop within so many seconds; inf where piano is expected.

    Returns:
        (len(within_s), len(silences)).
    """
    decide = round(DECIDE_S / hop_s)
    most = np.full((len(within_s), len(silences)), math.inf)
    for k, s in enumerate(silences):
        if not PianoActivity(s.course, hop_s, config).expected(0.0):
            nats = gathered(s.course, hop_s, config)
            for row_of, span_s in enumerate(within_s):
                end = None if s.rest else round(span_s / hop_s)
                most[row_of, k] = float(np.max(nats[decide:end], initial=0.0))
    return most


def threshold(rest_peaks: NDArray[np.float64]) -> float:
    """Nats that the allowed share of the rests passes."""
    return float(np.quantile(rest_peaks, 1 - ALLOWED, method="lower"))


def row(rule: str, silences: Sequence[Silence], hop_s: float, config: ActivityConfig, fitted: bool) -> Row:
    """How many rests and stops are called right; `fitted`: each work by the threshold of the others."""
    rest, work = np.array([s.rest for s in silences]), np.array([s.work for s in silences])
    at_once, soon, late = peaks(silences, hop_s, config, (DECIDE_S + hop_s, SOON_S, LATE_S))
    limit = np.full(len(silences), config.stopped_above)
    if fitted:
        for name in set(work.tolist()):
            limit[work == name] = threshold(late[rest & (work != name)])
    return {
        "rule": rule,
        "threshold": f"{threshold(late[rest]) if fitted else config.stopped_above:.2f}",
        "rests": int(rest.sum()),
        "rests_called_stops_pct": round(100 * float(np.mean(late[rest] > limit[rest])), 1),
        "stops": int((~rest).sum()),
        "stops_called_at_once_pct": round(100 * float(np.mean(at_once[~rest] > limit[~rest])), 1),
        "stops_called_soon_pct": round(100 * float(np.mean(soon[~rest] > limit[~rest])), 1),
        "stops_called_late_pct": round(100 * float(np.mean(late[~rest] > limit[~rest])), 1),
    }


def compare(silences: Sequence[Silence], hop_s: float) -> list[Row]:
    """Fits for some memories and looks ahead, each work by the others' threshold, and what is in use."""
    tried = [replace(USE, memory_s=m, expect_above=NEVER) for m in MEMORIES_S]
    rows = [row(f"fit, memory {c.memory_s:g} s", silences, hop_s, c, fitted=True) for c in tried]
    for above in EXPECT_ABOVE:
        rule = f"and expected above {above:g}"
        rows.append(row(rule, silences, hop_s, replace(USE, expect_above=above), fitted=True))
    return [*rows, row("in use", silences, hop_s, USE, fitted=False)]


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
    rows = compare(silences, FeatureConfig().hop_s)
    print(f"{len(args.scenarios)} recordings of {len({s.work for s in silences})} works")
    print_rows(rows)
    if args.record:
        record("rests", rows, COMMAND)


if __name__ == "__main__":
    main()
