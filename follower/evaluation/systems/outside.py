"""Systems from outside this program: plug-ins, and positions that were made elsewhere."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from follower.errors import AlignmentError, ConfigError, ScenarioError
from follower.evaluation.csv_columns import read_columns, read_words
from follower.evaluation.estimates import Estimates
from follower.evaluation.scenario import Scenario
from follower.evaluation.systems.contract import Estimate, EvaluatedSystem, Piano, Recordings
from follower.evaluation.systems.outcome import Outcome, nothing_found, outcome_of
from follower.evaluation.systems.workbench import Workbench
from follower.events import State
from follower.files.source import FileSource
from follower.session import plugins

METHODS: Final = ("prepare", "follow")
STATES: Final = frozenset({"", *(state.value for state in State)})


def check_plugin(where: str) -> None:
    """Find out before the work whether a plug-in can be loaded and has the methods of `EvaluatedSystem`.

    Args:
        where: MODULE:CLASS or MODULE:CLASS=ARGUMENT.

    Raises:
        ConfigError: it cannot, or has not.
    """
    made = plugins.load(where.partition("=")[0])
    missing = [name for name in METHODS if not callable(getattr(made, name, None))]
    if missing:
        raise ConfigError(
            f"{where} has no method {' and no '.join(missing)}; "
            "follower/evaluation/systems/contract.py says what a system is"
        )


def plugin_outcome(where: str, bench: Workbench) -> Outcome:
    """P to O of a plug-in, by the live metric; what it knew in hindsight is noted.

    Raises:
        ConfigError: it cannot be made, or what it estimates makes no sense.
    """
    system: EvaluatedSystem = plugins.create(where)
    scenario = bench.scenario
    mix_piano, mix_orchestra = bench.stems or (None, None)
    try:
        system.prepare(Recordings(scenario.orchestra, scenario.mix, mix_piano, mix_orchestra))
        with FileSource(scenario.piano, speed=None) as source:
            piano = Piano(source, bench.start_s)
            begin = time.perf_counter()
            rows, hindsight_s = _collected(where, system, piano)
            compute_s = time.perf_counter() - begin
    except AlignmentError as e:
        return nothing_found(scenario.truth.beat_orchestra_s, e, bench.heard)
    bench.write_estimates(where, rows)
    notes = () if hindsight_s <= 0 else (f"with hindsight: estimates up to {hindsight_s:.1f} s after their instant",)
    return _outcome(bench, rows, compute_s, notes)


def _collected(where: str, system: EvaluatedSystem, piano: Piano) -> tuple[Estimates, float]:
    """All estimates of a plug-in, checked, and how long after its instant the latest of them was made (s)."""
    found: list[tuple[float, Estimate]] = []
    hindsight_s = 0.0
    newest_s = 0.0
    for e in system.follow(piano):
        at_s = piano.heard_s if e.audio_time_s is None else float(e.audio_time_s)
        wrong = _what_is_wrong(e, at_s, newest_s, piano.heard_s)
        if wrong:
            raise ConfigError(f"{where} estimated {e} after {piano.heard_s:.3f} s of the piano: {wrong}")
        found.append((at_s, e))
        newest_s = at_s
        hindsight_s = max(hindsight_s, piano.heard_s - at_s)
    numbers = [(s, e.orchestra_s, e.rate, math.nan if e.confidence is None else e.confidence) for s, e in found]
    at, position, rate, confidence = np.array(numbers, np.float64).reshape(-1, 4).T
    return Estimates.build(at, position, rate, confidence, np.array([e.state for _, e in found], np.str_)), hindsight_s


def _what_is_wrong(e: Estimate, at_s: float, newest_s: float, heard_s: float) -> str:
    """Why an estimate cannot be taken; empty where it can."""
    if not (math.isfinite(e.orchestra_s) and math.isfinite(e.rate)):
        return "orchestra_s and rate must be numbers; where nothing is known, estimate nothing"
    if not newest_s <= at_s:
        return f"audio_time_s must not go back, and the estimate before was of {newest_s:.3f} s"
    if not at_s <= heard_s:
        return "audio_time_s must not lie beyond what was taken of the piano"
    if e.confidence is not None and not 0 <= e.confidence <= 1:
        return "confidence must be 0..1 or None"
    return "" if e.state in STATES else f"state must be one of {', '.join(sorted(STATES - {''}))}, or empty"


def positions_file(folder: Path, scenario: Scenario) -> Path:
    """Where the positions of a scenario are in a folder of positions made elsewhere.

    Raises:
        ScenarioError: there are none.
    """
    name = scenario.name
    names = (f"{name}.csv", f"{name}/positions.csv", f"{name}.npy", f"{name}/hyp.npy")
    candidates = [folder / n for n in names]
    for path in candidates:
        if path.is_file():
            return path
    raise ScenarioError(f"no positions of {name}: none of {', '.join(map(str, candidates))} is there")


def positions_outcome(folder: Path, bench: Workbench) -> Outcome:
    """P to O of positions made elsewhere, by the live metric.

    Raises:
        ScenarioError: they are missing or make no sense.
    """
    path = positions_file(folder, bench.scenario)
    return _outcome(bench, _read_path(path) if path.suffix == ".npy" else _read_csv(path), 0.0, ())


def _read_path(path: Path) -> Estimates:
    """An alignment as `hyp.npy` holds it: (2, n) seconds of piano and orchestra, interpolated in between."""
    try:
        hyp: Any = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as e:
        raise ScenarioError(f"cannot read {path}: {e}; it should be an array as numpy.save writes it") from e
    if hyp.ndim != 2 or hyp.shape[0] != 2 or not hyp.shape[1] or not np.issubdtype(hyp.dtype, np.number):
        raise ScenarioError(f"{path} holds {hyp.dtype} of shape {hyp.shape}; (2, n) is needed: piano, orchestra (s)")
    if not np.isfinite(hyp).all() or (np.diff(hyp[0]) <= 0).any():
        raise ScenarioError(f"{path} needs finite numbers, and increasing seconds of the piano in its first row")
    return Estimates.from_path(np.asarray(hyp, np.float64))


def _read_csv(path: Path) -> Estimates:
    names = ("audio_time_s", "orchestra_time_s", "rate", "confidence")
    at, orchestra, rate, confidence = read_columns(path, names)
    if not len(at) or not np.isfinite(at).all() or (np.diff(at) < 0).any():
        raise ScenarioError(f"{path} needs rows with audio_time_s that does not go back; it has {len(at)} rows")
    return Estimates.build(at, orchestra, rate, confidence, read_words(path, "state"))


def _outcome(bench: Workbench, estimates: Estimates, compute_s: float, notes: tuple[str, ...]) -> Outcome:
    truth = bench.scenario.truth
    target = (truth.piano_s, truth.orchestra_s)
    return outcome_of(estimates, truth.beat_s, truth.beat_orchestra_s, target, compute_s, notes, bench.heard)
