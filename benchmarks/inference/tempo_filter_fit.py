"""Fits how the tempo filter weighs what it hears and how it lets the tempo move, cross-validated over works.

    python -m benchmarks.inference.tempo_filter_fit SCENARIO... --caches DIR [--steps N] [--folds N] [--record]

The start is known, so that nothing but following is measured. Starting from the constants of `TempoFilterConfig`, a
random third of them is changed by random factors; what makes the performances better is kept (an evolution strategy
with one parent). The loss of a beat is min(e / 100 ms, 1) + min(e / 250 ms, 1) + min(e / 1 s, 1) of its error e in the
mix, the mean over the beats of each performance. Prints per fold what the fit is worth on works it did not see, then
the fit to all.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.inference.heard import Heard, folds, hear
from benchmarks.results import add_option, record
from follower.inference.tempo_filter import TempoFilter, TempoFilterConfig, create
from follower.signal.observation import PartWeights

WEIGHTS: Final = ("sustain", "onset", "swell", "salience", "absent_onset", "absent_swell")
MOVES: Final = ("diffusion", "jitter", "tempo_break", "break_spread", "tempo_pull", "pull_spread")
LIMITS: Final = {"diffusion": 0.25, "jitter": 0.3, "break_spread": 1.0}
"""Most that the arithmetic or the grid of tempi allows."""
CHANGED_SHARE: Final = 1 / 3
TOLERANCES_S: Final = (0.1, 0.25, 1.0)

Constants = Mapping[str, float]


def constants_of(config: TempoFilterConfig) -> Constants:
    """What is fitted."""
    return {n: getattr(config.weights, n) for n in WEIGHTS} | {n: getattr(config, n) for n in MOVES}


def config_with(constants: Constants) -> TempoFilterConfig:
    """The default configuration with these constants."""
    fields: dict[str, Any] = {n: constants[n] for n in MOVES}
    return replace(TempoFilterConfig(), weights=PartWeights(**{n: constants[n] for n in WEIGHTS}), **fields)


def errors_s(heard: Heard, config: TempoFilterConfig) -> NDArray[np.float64]:
    """Error of the filter's place in the mix at each beat, start known; inf where it has none."""
    followed = TempoFilter(create(heard.piece).reference, config)
    followed.seek(heard.start_mix_s)
    places = np.full((len(heard.frames), 2), np.nan)
    for k, frame in enumerate(heard.frames):
        belief = followed.update(frame)
        if belief.mix_s is not None:
            places[k] = belief.mix_s, belief.rate
    newest = np.floor(heard.beat_s / heard.hop_s).astype(int) - 1
    inside = (newest >= 0) & (newest < len(places))
    mix_s, rate = places[np.where(inside, newest, 0)].T
    ahead_s = heard.beat_s - heard.hop_s * (newest + 1)
    error = mix_s + rate * ahead_s - heard.beat_mix_s
    return np.where(inside & np.isfinite(error), np.abs(error), np.inf)


def loss(error_s: NDArray[np.float64]) -> float:
    """Mean loss of the beats.

    >>> loss(np.array([0.0, 0.05, np.inf]))
    1.25
    """
    return float(np.mean(sum(np.minimum(error_s / t, 1.0) for t in TOLERANCES_S)))


def fit(heard: Sequence[Heard], steps: int, rng: np.random.Generator, told: Callable[[str], None]) -> Constants:
    """The best constants found in so many steps."""

    def judge(constants: Constants) -> float:
        return float(np.mean([loss(errors_s(h, config_with(constants))) for h in heard]))

    best = constants_of(TempoFilterConfig())
    least, spread = judge(best), 0.5
    for step in range(steps):
        changed = {
            n: min(v * math.exp(spread * rng.standard_normal()), LIMITS.get(n, math.inf))
            if rng.random() < CHANGED_SHARE
            else v
            for n, v in best.items()
        }
        found = judge(changed)
        better = found < least
        spread = min(1.2 * spread, 0.8) if better else max(0.95 * spread, 0.2)
        if better:
            best, least = changed, found
            told(f"step {step}: loss {least:.4f}")
    return best


def row_of(part: str, heard: Sequence[Heard], constants: Constants) -> dict[str, Any]:
    """What constants are worth."""
    error = np.concatenate([errors_s(h, config_with(constants)) for h in heard])
    over = {f"over_{ms}_ms_pct": round(float(100 * np.mean(error > ms / 1000)), 2) for ms in (100, 200, 500)}
    return {"part": part, "loss": round(loss(error), 4), "median_ms": round(1000 * float(np.median(error)), 1), **over}


def main() -> None:
    """Fit, print, and record when asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="+", type=Path)
    parser.add_argument("--caches", type=Path, required=True, help="prepared pieces are kept here")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--folds", type=int, default=2)
    add_option(parser)
    args = parser.parse_args()
    heard = [hear(folder, args.caches) for folder in args.scenarios]
    before = constants_of(TempoFilterConfig())
    rows = []
    for number, (fitted, judged) in enumerate(folds(heard, args.folds)):
        if not fitted or not judged:
            continue
        found = fit(fitted, args.steps, np.random.default_rng(number), print)
        for name, constants in (("as configured", before), ("fitted to the others", found)):
            rows.append(row_of(f"fold {number}, {name}", judged, constants))
            print(rows[-1])
    found = fit(heard, args.steps, np.random.default_rng(args.folds), print)
    rows.append(row_of("all, fitted", heard, found) | {n: float(f"{v:.3g}") for n, v in found.items()})
    print(rows[-1])
    if args.record:
        record("tempo_filter_fit", rows)


if __name__ == "__main__":
    main()
