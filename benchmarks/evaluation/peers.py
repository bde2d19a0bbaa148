#!/usr/bin/env python3
"""Other people's followers and aligners on our scenarios beside ours, by our live metric: one run, one table.

    python -m benchmarks.evaluation.peers SCENARIO... --caches DIR [--peer NAME ...] [--environments DIR]
        [--json F] [--record NAME]

| peer | what it is |
|---|---|
| arzt | pymatchmaker 0.3's default: online time warping after Arzt and Widmer, chroma, 44.1 kHz, 30 frames a second |
| dixon | pymatchmaker's online time warping after Dixon, log spectral energy, 30 frames a second |
| noa | the follower of realtime-accompaniment 1.0: the full online DTW frontier, chroma, steps (1,1) (1,2) (2,1) |
| librosa | librosa's subsequence DTW on its chroma, offline with hindsight |
| synctoolbox | Sync Toolbox's multi-scale DTW on chroma and onsets, offline with hindsight, from end to end |
| ours | `follower replay`, from an unknown start and with the true one |

All have their own features and settings. They follow the piano in the full mix; our PO-O map (from `--caches`, a
prepared cache per scenario, named like it) brings their positions into the orchestra recording, so what differs is the
following alone. None of them can find an unknown start: each runs once from the full mix's beginning and once with mix
and piano both cut at the true first note (for those with hindsight the mix also at the true last), the best case. Each
estimate is the end of the reference frame matched to the newest live frame, at the sample at which that frame was
complete. Processor time and memory are those of the whole process: libraries, features of the reference, everything.

Each peer gets an environment of its own, made in `--environments` where it is missing; what cannot be installed is
skipped, and why is said. `--peer-python` names one Python for all of them instead.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation import peer_followers
from benchmarks.evaluation.peer_environments import environment, require
from benchmarks.evaluation.peer_followers import PEERS, Frames, Peer, Samples
from follower.errors import FollowerError, MissingDependencyError
from follower.evaluation.csv_columns import read_columns, read_words
from follower.evaluation.estimates import Estimates
from follower.evaluation.scenario import Scenario
from follower.evaluation.systems.live import mix_target
from follower.evaluation.systems.outcome import Outcome, outcome_of
from follower.piece.mix_map import MixMap
from follower.terminal import make_table, print_table

OURS = "ours"


@dataclass(frozen=True)
class Cost:
    """What a process used.

    Attributes:
        cpu_s: processor time.
        peak_mb: largest resident memory.
        hops: positions or frames it gave.
    """

    cpu_s: float
    peak_mb: float
    hops: int


def estimated_positions(peer: Peer, frames: Frames) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a peer's frames say: live seconds consumed, and the position in the reference (s) estimated then.

    Example:
        >>> at, position = estimated_positions(PEERS["arzt"], np.array([0, 3]))
        >>> at.round(3).tolist(), position.round(3).tolist()
        ([0.067, 0.1], [0.067, 0.167])
    """
    at = (np.arange(len(frames)) * peer.hop_samples + peer.live_window_samples) / peer.rate_hz
    return at, (frames * peer.hop_samples + peer.reference_window_samples) / peer.rate_hz


def measured(command: Sequence[str], name: str) -> tuple[float, float]:
    """Run a command to its end; return its processor time (s) and its largest memory (MB).

    Raises:
        FollowerError: it failed.
    """
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            said = errors.read().strip().splitlines()[-1:]
            raise FollowerError(f"{name} failed: {said}; run {list(command)} to see more")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def run_peer(name: str, python: str, live: Samples, reference: Samples) -> tuple[Frames, Cost]:
    """A peer's frames, and what its process used."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "live.npy", live)
        np.save(Path(folder) / "reference.npy", reference)
        cpu_s, peak_mb = measured([python, peer_followers.__file__, name, folder], name)
        frames = np.load(Path(folder) / "frames.npy", allow_pickle=False)
        return frames, Cost(cpu_s, peak_mb, len(frames))


def follow_scenario(
    name: str, python: str, scenario: Scenario, mix_map: MixMap, known: bool
) -> tuple[dict[str, Outcome], Cost]:
    """A peer on a scenario: errors in the orchestra recording (through our map) and in the full mix."""
    from offline_prep.audio import load_recording, resample

    peer, truth = PEERS[name], scenario.truth
    begin_s = (float(truth.piano_s[0]), float(truth.mix_s[0])) if known else (0.0, 0.0)
    end_s = float(truth.mix_s.max()) if known and peer.hindsight else None
    samples = []
    for path, cut_s, until_s in zip((scenario.piano, scenario.mix), begin_s, (None, end_s), strict=True):
        recording = load_recording(path)
        whole = resample(recording.samples, recording.sample_rate_hz, peer.rate_hz)
        until = None if until_s is None else round(until_s * peer.rate_hz)
        samples.append(np.ascontiguousarray(whole[round(cut_s * peer.rate_hz) : until], dtype=np.float32))
    frames, cost = run_peer(name, python, samples[0], samples[1])
    at_s, mix_s = (x + cut_s for x, cut_s in zip(estimated_positions(peer, frames), begin_s, strict=True))
    orchestra_s, slope = np.asarray(mix_map.to_orchestra(mix_s)), np.asarray(mix_map.slope_at(mix_s))
    # No peer estimates a rate. Frames are 20 to 46 ms apart, so the full mix's own tempo in between is near enough.
    in_mix, in_orchestra = Estimates.build(at_s, mix_s, np.ones(len(at_s))), Estimates.build(at_s, orchestra_s, slope)
    return _outcomes(f"{name}, {_start(known)}", scenario, in_orchestra, in_mix, cost.cpu_s), cost


def follow_ours(scenario: Scenario, cache: Path, known: bool) -> tuple[dict[str, Outcome], Cost]:
    """The program itself on a scenario, as a user runs it."""
    start = ["--start", f"{scenario.truth.orchestra_s[0]:.3f}"] if known else []
    with tempfile.TemporaryDirectory() as folder:
        positions = Path(folder) / "positions.csv"
        words = ["replay", str(cache), str(scenario.piano), "--speed", "max", "--positions", str(positions), *start]
        cpu_s, peak_mb = measured([sys.executable, "-m", "follower", *words], OURS)
        names = ("audio_time_s", "orchestra_time_s", "mix_time_s", "rate", "confidence")
        at, orchestra, mix, rate, confidence = read_columns(positions, names)
        state = read_words(positions, "state")
    in_orchestra = Estimates.build(at, orchestra, rate, confidence, state)
    in_mix = Estimates.build(at, mix, np.ones(len(at)), confidence, state)
    outcomes = _outcomes(f"{OURS}, {_start(known)}", scenario, in_orchestra, in_mix, cpu_s)
    return outcomes, Cost(cpu_s, peak_mb, len(at))


def _start(known: bool) -> str:
    return f"{'known' if known else 'unknown'} start"


def _outcomes(
    label: str, scenario: Scenario, in_orchestra: Estimates, in_mix: Estimates, cpu_s: float
) -> dict[str, Outcome]:
    truth = scenario.truth
    target = (truth.piano_s, truth.orchestra_s)
    return {
        f"{label}, P to O": outcome_of(in_orchestra, truth.beat_s, truth.beat_orchestra_s, target, cpu_s),
        f"{label}, P to PO": outcome_of(in_mix, truth.beat_s, truth.beat_mix_s, mix_target(truth), cpu_s),
    }


def available(
    names: Sequence[str], peer_python: str | None, environments: Path
) -> tuple[dict[str, str], dict[str, str]]:
    """Which peers can be run, with their Python, and which are skipped, with why."""
    pythons: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for name in names:
        try:
            if peer_python is None:
                pythons[name] = environment(PEERS[name], environments)
            else:
                require(peer_python, PEERS[name])
                pythons[name] = peer_python
        except MissingDependencyError as e:
            skipped[name] = str(e)
            print(f"skipped: {name}: {e}", file=sys.stderr, flush=True)
    return pythons, skipped


def cost_rows(costs: dict[str, list[Cost]]) -> list[dict[str, Any]]:
    """Processor time per hop and the largest memory of each system, over all its runs."""
    return [
        {
            "system": name,
            "cpu_ms_per_hop": round(1000 * sum(c.cpu_s for c in used) / max(sum(c.hops for c in used), 1), 2),
            "peak_mb": round(max(c.peak_mb for c in used)),
        }
        for name, used in costs.items()
    ]


def measure(args: argparse.Namespace) -> int:
    from benchmarks.results import record
    from follower.evaluation.scenario import load_scenario
    from follower.evaluation.table import error_table, note_lines, pools, to_json
    from follower.piece.reading import load_piece

    pythons, skipped = available(args.peer or list(PEERS), args.peer_python, args.environments)
    results: dict[str, dict[str, Outcome]] = {}
    costs: dict[str, list[Cost]] = {name: [] for name in (*pythons, OURS)}
    for folder in args.scenarios:
        scenario = load_scenario(folder)
        cache = args.caches / scenario.name
        mix_map = load_piece(cache).map
        results[scenario.name] = {}
        for name in costs:
            for known in (False, True):
                if name == OURS:
                    outcomes, cost = follow_ours(scenario, cache, known)
                else:
                    outcomes, cost = follow_scenario(name, pythons[name], scenario, mix_map, known)
                results[scenario.name] |= outcomes
                costs[name].append(cost)
        print(f"{scenario.name} done", file=sys.stderr, flush=True)
        pooled = pools(results, args.pool)
        document = to_json(results, pooled, {"peers": list(pythons), "skipped": skipped, "costs": cost_rows(costs)})
        if args.json is not None:
            args.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    if args.record:
        record(args.record, document)
    print_table(error_table(results, pooled))
    for line in note_lines(results):
        print(line)
    table = make_table(["system"], ["cpu ms per hop", "peak MB"])
    for row in cost_rows(costs):
        table.add_row(*(str(row[key]) for key in ("system", "cpu_ms_per_hop", "peak_mb")))
    print_table(table)
    return 0


def main() -> int:
    from follower.files.user_folders import user_cache_folder

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", type=Path, nargs="+", metavar="SCENARIO")
    parser.add_argument("--caches", type=Path, required=True, metavar="DIR", help="holds a cache per scenario")
    parser.add_argument("--peer", action="append", choices=tuple(PEERS), help="repeatable; default: all")
    parser.add_argument(
        "--environments",
        type=Path,
        default=user_cache_folder() / "peers",
        metavar="DIR",
        help="where their environments are made (default: %(default)s)",
    )
    parser.add_argument("--peer-python", metavar="PYTHON", help="one Python that has all of them, instead")
    parser.add_argument("--pool", action="append", default=[], metavar="PATTERN[,PATTERN]")
    parser.add_argument("--json", type=Path, metavar="F", help="write everything as JSON, after every scenario")
    parser.add_argument("--record", metavar="NAME", help="write benchmarks/results/NAME.json (peers, peers_pub2)")
    try:
        return measure(parser.parse_args())
    except FollowerError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
