"""What each part of the PO-O map is worth, and how self-consistent the map is.

    python -m benchmarks.offline_prep.alignment.map_ablation SCENARIO... [--pool NAME=PATTERN[,PATTERN]]
        [--variant NAME] [--consistency] [--record]

Prints, per pool of scenarios, the median error and the share of evaluation beats over 50, 100, 200 and 500 ms of the
whole method and of it with one part left out. With --consistency, which needs no annotation, instead: the round trip
O to PO to O through two maps made independently, with the roles of the recordings exchanged, and the difference
between the maps of the recordings and of the time-reversed recordings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import Row, add_option, print_rows, record
from follower.evaluation.scenario import MapTruth, Scenario, load_scenario
from follower.piece.mix_map import MixMap
from offline_prep.alignment.align import align_recordings, frame_rms, precise_comparisons
from offline_prep.alignment.assembly import assemble
from offline_prep.alignment.attack_delay import correct
from offline_prep.alignment.boundaries import trim_ends
from offline_prep.alignment.coarse import Chain, coarse_path, quiet_frames
from offline_prep.alignment.config import AlignConfig, StageConfig
from offline_prep.alignment.features import (
    LOWEST_MIDI,
    N_PITCHES,
    SAMPLE_RATE_HZ,
    Comparison,
    compare,
    estimate_tuning,
    pitchgram,
    shape_features,
)
from offline_prep.alignment.fine import refine, settle
from offline_prep.audio import load_recording, resample

Gram = NDArray[np.float32]
OUTSIDE_S = 1.0
"""Self-consistency is taken where both maps move and this far from every cut."""


def compared(mix: Gram, orchestra: Gram, stage: StageConfig) -> Comparison:
    """Features of a stage, ready."""
    return compare(
        shape_features(mix, stage.shape, 0.0),
        shape_features(orchestra, stage.shape, stage.softness),
        stage.harmony,
        stage.onset,
    )


def with_stages(change: Callable[[StageConfig], StageConfig]) -> AlignConfig:
    """The default configuration with all three stages changed."""
    base = AlignConfig()
    return replace(base, coarse=change(base.coarse), fine=change(base.fine), precise=change(base.precise))


def loose(stage: StageConfig) -> StageConfig:
    """Tempo changes nearly free, as in plain DTW."""
    return replace(stage, rule=replace(stage.rule, stiffness=0.02 * stage.rule.stiffness))


def chroma(gram: Gram) -> Gram:
    """Fold semitones to pitch classes; the other columns are empty."""
    out = np.zeros_like(gram)
    for p in range(N_PITCHES):
        out[:, (p + LOWEST_MIDI) % 12] += gram[:, p] ** 2
    return np.sqrt(out)


DEFAULT = AlignConfig()
NO_GAPS = replace(DEFAULT, gap=replace(DEFAULT.gap, enter=1e6, enter_quiet=1e6))
WEIGHTS = DEFAULT.precise_weights
RISES_ONLY = replace(WEIGHTS, network=0.0, alignment=0.0, harmony=0.36)
"""The precise pass as it was before the networks, with the weights that were best for it."""
HARMONY_ONLY = replace(WEIGHTS, network=0.0, alignment=0.0, harmony=1.0, onset=0.0)
VARIANTS: dict[str, tuple[AlignConfig, str, bool]] = {
    "whole method": (DEFAULT, "attack_delay", False),
    "no attack delay correction": (DEFAULT, "boundaries", False),
    "no boundary search at cuts": (DEFAULT, "precise", False),
    "no posterior mean": (DEFAULT, "fine", False),
    "coarse stage only": (DEFAULT, "coarse", False),
    "no tempo regularisation": (with_stages(loose), "boundaries", False),
    "no networks": (replace(DEFAULT, precise_weights=RISES_ONLY), "boundaries", False),
    "no alignment network": (replace(DEFAULT, precise_weights=replace(WEIGHTS, alignment=0.0)), "boundaries", False),
    "no onsets": (
        replace(with_stages(lambda s: replace(s, onset=0.0)), precise_weights=HARMONY_ONLY),
        "boundaries",
        False,
    ),
    "no harmony": (
        replace(with_stages(lambda s: replace(s, harmony=0.0)), precise_weights=replace(WEIGHTS, harmony=0.0)),
        "boundaries",
        False,
    ),
    "chroma instead of pitch": (DEFAULT, "boundaries", True),
    "no gap states": (NO_GAPS, "boundaries", False),
}
"""Name -> configuration, last stage, pitch classes only.  What is left out is left out of the map before the attack
delay correction, which is the last stage."""


def chains_of(
    mix: Gram, orchestra: Gram, quiet: NDArray[np.bool_], config: AlignConfig, last: str
) -> tuple[Chain, ...]:
    """Matched pieces after the given last stage."""
    stage = config.coarse
    _, chains = coarse_path(
        shape_features(mix, stage.shape, 0.0), shape_features(orchestra, stage.shape, stage.softness), quiet, (), config
    )
    if last != "coarse":
        fine = compared(mix, orchestra, config.fine)
        chains = tuple(refine(c, fine, config) for c in chains)
    if last in ("precise", "boundaries", "attack_delay"):
        onsets, precise = precise_comparisons(mix, orchestra, config)
        chains = tuple(settle(c, onsets, config) for c in chains)
        if last != "precise":
            chains = trim_ends(chains, precise, quiet)
        if last == "attack_delay":
            chains = correct(chains, mix, orchestra, config.attack_delay)
    return chains


def errors(scenario: Scenario, variants: list[str]) -> dict[str, NDArray[np.float64]]:
    """Signed map error (s) at the evaluation beats, per variant."""
    truth, samples = truth_of(scenario), samples_of(scenario)
    grams = {role: pitchgram(x, estimate_tuning(x)) for role, x in samples.items()}
    folded = {role: chroma(g) for role, g in grams.items()}
    rms = frame_rms(samples["o"])
    quiet = quiet_frames(rms, DEFAULT.gap.quiet_db)
    out = {}
    for name in variants:
        config, last, pitch_classes = VARIANTS[name]
        g = folded if pitch_classes else grams
        chains = chains_of(g["po"], g["o"], quiet, config, last)
        duration = {role: len(x) / SAMPLE_RATE_HZ for role, x in samples.items()}
        mix_s, orchestra_s = assemble(chains, duration["po"], duration["o"], rms)
        out[name] = MixMap(orchestra_s, mix_s, np.ones(len(mix_s))).to_orchestra(truth.mix_s) - truth.orchestra_s
    return out


def consistency(scenario: Scenario) -> dict[str, NDArray[np.float64]]:
    """Differences (s) between maps that should agree, every 0.5 s of the mix, away from cuts and ends."""
    x = samples_of(scenario)
    duration = {role: len(s) / SAMPLE_RATE_HZ for role, s in x.items()}
    forward = align_recordings(x["o"], x["po"], SAMPLE_RATE_HZ).mix_map
    exchanged = align_recordings(x["po"], x["o"], SAMPLE_RATE_HZ).mix_map
    reverse = align_recordings(x["o"][::-1].copy(), x["po"][::-1].copy(), SAMPLE_RATE_HZ).mix_map
    at = np.arange(0.0, duration["po"], 0.5)
    near = np.arange(-OUTSIDE_S, OUTSIDE_S + 0.1, 0.25)
    moving = ~forward.in_cut((at[:, None] + near).ravel()).reshape(len(at), -1).any(axis=1)
    trusted = moving & (forward.confidence_at(at) > 0.0)
    at = at[trusted]
    orchestra_s = forward.to_orchestra(at)
    return {
        "round trip": forward.to_orchestra(exchanged.to_orchestra(orchestra_s)) - orchestra_s,
        "time-reversed": duration["o"] - reverse.to_orchestra(duration["po"] - at) - orchestra_s,
    }


def truth_of(scenario: Scenario) -> MapTruth:
    """What the map should join; ends the program where the scenario has no annotation."""
    if scenario.map_truth is None:
        raise SystemExit(f"{scenario.folder} has no annotation of the full mix (po.beats or truth.csv)")
    return scenario.map_truth


def samples_of(scenario: Scenario) -> dict[str, NDArray[np.float32]]:
    """Orchestra recording ("o") and full mix ("po") at the alignment's rate."""
    read = {"o": load_recording(scenario.orchestra), "po": load_recording(scenario.mix)}
    return {role: resample(r.samples, r.sample_rate_hz, SAMPLE_RATE_HZ) for role, r in read.items()}


def pooled(pool: str, results: dict[str, list[NDArray[np.float64]]]) -> list[Row]:
    """A row for each variant: its errors over the scenarios of a pool."""
    rows: list[Row] = []
    for name, parts in results.items():
        ms = 1000 * np.abs(np.concatenate(parts))
        shares = {f"over_{t}_ms_pct": round(100 * float(np.mean(ms > t)), 1) for t in (50, 100, 200, 500)}
        size = {"scenarios": len(parts), "points": len(ms), "median_ms": round(float(np.median(ms)), 1)}
        rows.append({"pool": pool, "variant": name, **size, **shares})
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="+", type=Path, metavar="SCENARIO")
    parser.add_argument("--pool", action="append", default=[], metavar="NAME=PATTERN[,PATTERN]")
    parser.add_argument("--variant", action="append", choices=tuple(VARIANTS), help="only this one; repeatable")
    parser.add_argument("--consistency", action="store_true")
    add_option(parser)
    args = parser.parse_args()
    found = {}
    for folder in args.scenarios:
        scenario = load_scenario(folder)
        found[scenario.name] = (
            consistency(scenario) if args.consistency else errors(scenario, args.variant or list(VARIANTS))
        )
        print(f"{scenario.name} done", file=sys.stderr, flush=True)
    rows: list[Row] = []
    for pool in args.pool or ["all=*"]:
        name, _, patterns = pool.partition("=")
        members = [r for n, r in found.items() if any(fnmatch(n, p) for p in patterns.split(","))]
        if members:
            rows += pooled(name, {v: [m[v] for m in members] for v in members[0]})
    print_rows(rows)
    if args.record:
        record("map_consistency" if args.consistency else "map_ablation", rows)


if __name__ == "__main__":
    main()
