"""Fit the two coefficients of the PO-O map's attack delay (`offline_prep.alignment.attack_delay`) and cross-validate.

    python -m benchmarks.offline_prep.alignment.attack_delay_fit SCENARIO... [--fold NAME=PATTERN[,PATTERN]]
        [--record]

For each scenario the map is made without the correction and the rises of both recordings are measured.  The
coefficients are those least squares gives for: median map error = orchestra * mean rise in O - mix * mean rise in PO,
errors taken as at most 60 ms (an error beyond is no attack delay).  With --fold the scenarios whose names match are
left out of a fit in turn and corrected by it: the figures then are of scenarios that the fit has not seen.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.offline_prep.alignment.map_ablation import DEFAULT, chains_of, samples_of, truth_of
from benchmarks.results import Row, add_option, print_rows, record
from follower.evaluation.scenario import load_scenario
from offline_prep.alignment.align import frame_rms
from offline_prep.alignment.attack_delay import Rises, attack_delay, find_rises
from offline_prep.alignment.coarse import quiet_frames
from offline_prep.alignment.features import estimate_tuning, pitchgram

MAX_ERROR_S = 0.06


@dataclass(frozen=True)
class Pair:
    """One scenario: errors (s) of the uncorrected map at the beats (mix s), and the rises."""

    beat_s: NDArray[np.float64]
    error_s: NDArray[np.float64]
    rises: Rises


def measure(folder: Path) -> tuple[str, Pair]:
    """Name and measurements of a scenario."""
    scenario = load_scenario(folder)
    truth, samples = truth_of(scenario), samples_of(scenario)
    gram = {role: pitchgram(x, estimate_tuning(x)) for role, x in samples.items()}
    quiet = quiet_frames(frame_rms(samples["o"]), DEFAULT.gap.quiet_db)
    chains = chains_of(gram["po"], gram["o"], quiet, DEFAULT, "boundaries")
    mix_s, orchestra_s = (np.concatenate([getattr(c, side) for c in chains]) for side in ("mix_s", "orchestra_s"))
    inside = (truth.mix_s >= mix_s[0]) & (truth.mix_s <= mix_s[-1])
    error = np.interp(truth.mix_s, mix_s, orchestra_s) - truth.orchestra_s
    return scenario.name, Pair(truth.mix_s[inside], error[inside], find_rises(chains, gram["po"], gram["o"]))


def fit(pairs: list[Pair]) -> tuple[float, float]:
    """Coefficients (orchestra, mix)."""
    rises = np.array([(p.rises.orchestra_rise_s.mean(), -p.rises.mix_rise_s.mean()) for p in pairs])
    error = np.array([np.clip(np.median(p.error_s), -MAX_ERROR_S, MAX_ERROR_S) for p in pairs])
    orchestra, mix = np.linalg.lstsq(rises, error, rcond=None)[0]
    return float(orchestra), float(mix)


def corrected(pair: Pair, coefficients: tuple[float, float]) -> Pair:
    """The pair with its errors as after the correction."""
    config = replace(DEFAULT.attack_delay, orchestra=coefficients[0], mix=coefficients[1])
    return replace(pair, error_s=pair.error_s - attack_delay(pair.rises, pair.beat_s, config))


def figures(pairs: list[Pair], when: str) -> Row:
    """Mean absolute bias, and all beats' median and share over 100 ms."""
    bias = np.mean([abs(float(np.median(p.error_s))) for p in pairs])
    ms = 1000 * np.abs(np.concatenate([p.error_s for p in pairs]))
    return {
        f"bias_{when}_ms": round(1000 * float(bias), 1),
        f"median_{when}_ms": round(float(np.median(ms)), 1),
        f"over_100_ms_{when}_pct": round(100 * float(np.mean(ms > 100)), 1),
    }


def row(fitted: str, coefficients: tuple[float, float] | None, before: list[Pair], after: list[Pair]) -> Row:
    """What a fit gives, and the scenarios it corrects before and after that."""
    found = (None, None) if coefficients is None else tuple(round(c, 3) for c in coefficients)
    return {
        "fitted_on": fitted,
        "orchestra": found[0],
        "mix": found[1],
        "corrected": len(after),
        **figures(before, "before"),
        **figures(after, "after"),
    }


def main() -> None:
    """Measure, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="+", type=Path, metavar="SCENARIO")
    parser.add_argument("--fold", action="append", default=[], metavar="NAME=PATTERN[,PATTERN]")
    add_option(parser)
    args = parser.parse_args()
    found = {}
    for folder in args.scenarios:
        name, pair = measure(folder)
        if len(pair.rises.mix_s) and len(pair.error_s):
            found[name] = pair
        print(f"{name} done", file=sys.stderr, flush=True)
    everything = list(found.values())
    whole = fit(everything)
    rows = [row("all", whole, everything, [corrected(p, whole) for p in everything])]
    unseen: dict[str, Pair] = {}
    for fold in args.fold:
        name, _, patterns = fold.partition("=")
        out = sorted(n for n in found if any(fnmatch(n, p) for p in patterns.split(",")))
        if not out or len(out) == len(found):
            raise SystemExit(f"--fold {fold}: of {len(found)} scenarios {len(out)} match; some must and some must not")
        coefficients = fit([p for n, p in found.items() if n not in out])
        after = {n: corrected(found[n], coefficients) for n in out}
        rows.append(row(f"all but {name}", coefficients, [found[n] for n in out], list(after.values())))
        unseen |= after
    if unseen:
        rows.append(row("each by the others' fit", None, [found[n] for n in unseen], list(unseen.values())))
    print_rows(rows)
    if args.record:
        record("attack_delay_fit", rows)


if __name__ == "__main__":
    main()
