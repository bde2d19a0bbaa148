"""Measures what the constants of the path search are chosen from: gains of wrong places, and delays after jumps.

    python -m benchmarks.inference.place_search_fit SCENARIO... --caches DIR [--record]

For each variant of the constants, over all performances: the *peak* of a performance is the most that any place
elsewhere ever gained on the true one; with a patience below it there is a false jump. Then the performances are
spliced, so that the pianist goes back or skips by 4 and 16 s without a break while the belief moves on at its tempo,
and the time is taken until some place elsewhere has gained as much as 9 of 10 peaks, or as all of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.inference.heard import Heard, hear
from benchmarks.results import add_option, record
from follower.inference.place_search import PlaceSearch, PlaceSearchConfig
from follower.inference.tempo_filter import TempoFilterConfig
from follower.signal.observation import (
    LiveObserver,
    Observation,
    PartWeights,
    ReferenceObservations,
    StartConfig,
    observe_reference,
)

SILENCE: Final = TempoFilterConfig().silence
REENTRY_S: Final = TempoFilterConfig().reentry_after_s
SETTLED_S: Final = 11.0
"""Live seconds at the begin that are not judged."""
JUMPS_S: Final = (-16.0, -4.0, 4.0, 16.0)
JUMP_AT: Final = (0.3, 0.5, 0.7)
"""Shares of the performance at which it is spliced."""
WATCHED_S: Final = 12.0
CONFIG: Final = PlaceSearchConfig()
WEIGHTS: Final = {
    "as configured": CONFIG.weights,
    "sustained parts less": replace(CONFIG.weights, sustain=1.23, salience=0.77),
    "sustained parts more": replace(CONFIG.weights, sustain=2.8, salience=1.93),
    "onsets twice": replace(CONFIG.weights, onset=2 * CONFIG.weights.onset),
    "swell half": replace(CONFIG.weights, swell=0.5 * CONFIG.weights.swell),
}
HANDICAPS: Final = (2.7, 5.4, 8.6, 10.8)


@dataclass(frozen=True)
class Observed:
    """A performance as the search sees it: the mix's observations, the live ones, the true frame of each hop."""

    reference: ReferenceObservations
    live: Sequence[Observation]
    true_frame: NDArray[np.float64]
    hop_s: float


def observe(heard: Heard) -> Observed:
    """Observe a performance."""
    c = TempoFilterConfig()
    reference = observe_reference(heard.piece.mix.pitch, heard.hop_s, c.observation)
    observer = LiveObserver(heard.piece.feature_config, reference, c.observation, StartConfig())
    live = [observer.observe(frame.pitch) for frame in heard.frames]
    return Observed(reference, live, heard.true_mix_s / heard.hop_s - 1, heard.hop_s)


def gains(
    o: Observed, hops: NDArray[np.int64], believed: NDArray[np.float64], config: PlaceSearchConfig
) -> list[float]:
    """What the best place elsewhere has gained on the believed one, after each of the hops named (nats)."""
    search = PlaceSearch(o.reference.features, o.hop_s, config)
    search.expect(believed[0], 1.0 / o.hop_s)
    silent_s, out = 0.0, []
    for hop, frame in zip(hops, believed, strict=True):
        live = o.live[hop]
        if live.presence >= SILENCE:
            if silent_s > REENTRY_S:
                search.resume(int(frame))
            silent_s = 0.0
            search.update(live, int(frame))
        else:
            silent_s += o.hop_s
        known = silent_s == 0 and np.isfinite(search.rival.log_odds)
        out.append(search.rival.log_odds + config.patience if known else 0.0)
    return out


def peak(o: Observed, config: PlaceSearchConfig) -> float:
    """Most that a place elsewhere ever gained on the true one."""
    known = np.flatnonzero(np.isfinite(o.true_frame))
    hops = np.arange(known[0], known[-1] + 1)
    found = np.array(gains(o, hops, np.interp(hops, known, o.true_frame[known]), config))
    return float(np.max(found[np.isfinite(o.true_frame[hops]) & (hops > SETTLED_S / o.hop_s)], initial=0.0))


def jump_gains(o: Observed, config: PlaceSearchConfig) -> list[NDArray[np.float64]]:
    """Gains after each splice."""
    known = np.flatnonzero(np.isfinite(o.true_frame))
    n = round(WATCHED_S / o.hop_s)
    out = []
    for share in JUMP_AT:
        for jump_s in JUMPS_S:
            leave = round(share * len(o.live))
            land = leave + round(jump_s / o.hop_s)
            if leave < known[0] + n or land < known[0] or land + n > known[-1]:
                continue
            before = np.interp(np.arange(leave - n, leave), known, o.true_frame[known])
            speed = (before[-1] - before[-n // 2]) / (n // 2)
            believed = np.concatenate([before, before[-1] + speed * np.arange(1, n + 1)])
            hops = np.concatenate([np.arange(leave - n, leave), np.arange(land, land + n)])
            believed = np.clip(believed, 0, o.reference.features.shape[1] - 1)
            out.append(np.array(gains(o, hops, believed, config)[n:]))
    return out


def row_of(observed: Sequence[Observed], weights: str, config: PlaceSearchConfig) -> Mapping[str, Any]:
    """Peaks, and the delays at patiences that hold back most false jumps, or all."""
    peaks = np.array([peak(o, config) for o in observed])
    after = [g for o in observed for g in jump_gains(o, config)]
    row: dict[str, Any] = {
        "weights": weights,
        "handicap": config.handicap,
        "median_peak": round(float(np.median(peaks)), 1),
    }
    for name, patience in (("most", float(np.quantile(peaks, 0.9))), ("all", float(peaks.max()))):
        delays = np.array(
            [np.argmax(g >= patience) * observed[0].hop_s if max(g) >= patience else np.inf for g in after]
        )
        row |= {
            f"patience_{name}": round(patience, 1),
            f"within_4s_{name}_pct": round(100 * float(np.mean(delays < 4)), 1),
        }
        row |= {f"median_{name}_s": round(float(np.median(delays)), 2)}
    return row


def main() -> None:
    """Measure, print, and record when asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="+", type=Path)
    parser.add_argument("--caches", type=Path, required=True, help="prepared pieces are kept here")
    add_option(parser)
    args = parser.parse_args()
    observed = [observe(hear(folder, args.caches)) for folder in args.scenarios]
    variants: list[tuple[str, PartWeights, float]] = [(n, w, CONFIG.handicap) for n, w in WEIGHTS.items()]
    variants += [("as configured", CONFIG.weights, h) for h in HANDICAPS if h != CONFIG.handicap]
    rows = []
    for name, weights, handicap in variants:
        rows.append(row_of(observed, name, replace(CONFIG, weights=weights, handicap=handicap, patience=60.0)))
        print(rows[-1], flush=True)
    if args.record:
        record("place_search_fit", rows)


if __name__ == "__main__":
    main()
