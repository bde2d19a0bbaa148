"""Results of many scenarios: pooled, as tables, as JSON."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.alignment_figures import CORRECT_WITHIN_MS, AlignmentFigures, alignment_figures
from follower.evaluation.beat_errors import TOLERANCES_MS, Summary, summarise
from follower.evaluation.behaviour import Behaviour, pool_behaviour
from follower.evaluation.calibration import CalibrationBin, CoverageRow, calibration, coverage
from follower.evaluation.json_numbers import finite_or_none
from follower.evaluation.systems.outcome import Outcome
from follower.terminal import make_table

if TYPE_CHECKING:
    from rich.table import Table

ALL = "all"


@dataclass(frozen=True)
class Pooled:
    """Results of one system over one or more scenarios; the errors of all their beats count alike.

    Attributes:
        scenarios: number of scenarios.
        error_s: signed errors of all beats.
        summary: figures of the pooled errors.
        behaviour: pooled behaviour over time; None for systems without one.
        coverage: error against coverage; empty without confidences.
        calibration: share within 200 ms per bin of confidence; empty without confidences.
        compute_s: seconds of all scenarios.
        tempo_changes: figures of the beats that end a large change of tempo; None without any.
        alignment: metrics as mir_eval defines them; None where the true positions are not known.
        heard: figures of the beats the orchestra attacks at; None without any.
    """

    scenarios: int
    error_s: NDArray[np.float64]
    summary: Summary
    behaviour: Behaviour | None
    coverage: tuple[CoverageRow, ...]
    calibration: tuple[CalibrationBin, ...]
    compute_s: float
    tempo_changes: Summary | None
    alignment: AlignmentFigures | None = None
    heard: Summary | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data."""
        out: dict[str, Any] = {"scenarios": self.scenarios, **self.summary.to_json(), "compute_s": self.compute_s}
        if self.tempo_changes is not None:
            out["tempo_changes"] = self.tempo_changes.to_json()
        if self.alignment is not None:
            out["alignment"] = self.alignment.to_json()
        if self.heard is not None:
            out["heard"] = self.heard.to_json()
        if self.behaviour is not None:
            out["behaviour"] = self.behaviour.to_json()
        if self.coverage:
            out["coverage"] = [row.to_json() for row in self.coverage]
            out["calibration"] = [b.to_json() for b in self.calibration]
        return out


Results = Mapping[str, Mapping[str, Outcome]]
"""Scenario name -> system -> outcome."""


def pool(outcomes: Sequence[Outcome]) -> Pooled:
    """Put the outcomes of one system together; one or more."""
    error = np.concatenate([o.error_s for o in outcomes])
    confidence = np.concatenate([o.confidence for o in outcomes])
    with_confidence = bool(np.isfinite(confidence).any())
    runs = [(o.error_s, o.target_s) for o in outcomes if o.target_s is not None]
    parts = [o.behaviour for o in outcomes if o.behaviour is not None]
    return Pooled(
        len(outcomes),
        error,
        summarise(error),
        pool_behaviour(parts) if parts else None,
        tuple(coverage(error, confidence)) if with_confidence else (),
        tuple(calibration(error, confidence)) if with_confidence else (),
        sum(o.compute_s for o in outcomes),
        _some_beats([(o.error_s, o.tempo_changes) for o in outcomes]),
        alignment_figures(runs) if runs else None,
        _some_beats([(o.error_s, o.heard) for o in outcomes]),
    )


def _some_beats(parts: Sequence[tuple[NDArray[np.float64], NDArray[np.bool_] | None]]) -> Summary | None:
    """Figures of the beats that are chosen in each part; None where none is."""
    chosen = np.concatenate([np.zeros(0), *(error[which] for error, which in parts if which is not None)])
    return summarise(chosen) if len(chosen) else None


def pools(results: Results, patterns: Sequence[str]) -> dict[str, dict[str, Pooled]]:
    """Pool all scenarios, and those whose name matches each pattern.

    Args:
        results: results of every scenario.
        patterns: each a list of shell patterns with commas, e.g. "pub0*,pub1*". One that matches nothing is left out.

    Returns:
        Pattern (or "all") -> system -> pooled result.
    """
    groups = {ALL: list(results)}
    for pattern in patterns:
        parts = pattern.split(",")
        groups[pattern] = [name for name in results if any(fnmatch.fnmatchcase(name, p) for p in parts)]
    out: dict[str, dict[str, Pooled]] = {}
    for group, names in groups.items():
        if names:
            systems = results[names[0]]
            out[group] = {s: pool([results[name][s] for name in names]) for s in systems}
    return out


def error_table(results: Results, pooled: Mapping[str, Mapping[str, Pooled]]) -> Table:
    """The table `follower evaluate` prints: a row per scenario and system, then the pools."""
    # A second line for the unit, also where there is none: rich puts a single line at the bottom.
    numbers = ["beats\n ", "median\nms", "bias\nms", *(f">{t}\n%" for t in TOLERANCES_MS)]
    numbers += ["lock\ns", "jumps\n ", "false\n ", "rate\n%", "back\n "]
    table = make_table(["scenario\n ", "system\n "], numbers)
    for name, systems in results.items():
        for system, outcome in systems.items():
            table.add_row(name, system, *_figures(pool([outcome])))
    table.add_row()
    for group, by_system in pooled.items():
        for system, result in by_system.items():
            table.add_row(group, system, *_figures(result))
    return table


def alignment_table(pooled: Mapping[str, Mapping[str, Pooled]]) -> Table:
    """Metrics as mir_eval defines them, and the errors where they are heard: a row per pool and system."""
    numbers = ["beats\nwith", "mean\nms", *(f"<={t} ms\n%" for t in CORRECT_WITHIN_MS), "segments\n%", "perceptual\n%"]
    numbers += ["heard\nbeats", "median\nms", "bias\nms", *(f">{t}\n%" for t in TOLERANCES_MS[:4])]
    table = make_table(["pool\n ", "system\n "], numbers)
    for group, by_system in pooled.items():
        for system, result in by_system.items():
            a, h = result.alignment, result.heard
            figures = 6 * ["-"]
            if a is not None:
                estimated = round(result.summary.beats * a.estimated_pct / 100)
                percentages = (*a.correct_pct, a.segments_pct, a.perceptual_pct)
                figures = [str(estimated), _number(a.mean_ms, 1), *(_number(x, 1) for x in percentages)]
            heard = 7 * ["-"]
            if h is not None:
                heard = [str(h.beats), _number(h.median_ms, 1), _number(h.bias_ms, 1)]
                heard += [_number(x, 1) for x in h.over_pct[:4]]
            table.add_row(group, system, *figures, *heard)
    return table


def note_lines(results: Results) -> list[str]:
    """What a person should know about single outcomes, a line each."""
    return [
        f"note: {name}, {system}: {note}"
        for name, systems in results.items()
        for system, outcome in systems.items()
        for note in outcome.notes
    ]


def behaviour_text(pooled: Mapping[str, Pooled]) -> str:
    """What the systems that report over time do at pauses and jumps, and how smoothly they move."""
    lines: list[str] = []
    for system, result in pooled.items():
        b = result.behaviour
        if b is None or not result.coverage:
            continue
        lines.append(
            f"{system}: {_times('pauses noticed', b.paused_s)}; {_times('left', b.resumed_s)}; "
            f"{_times('jumps of the pianist noticed', b.noticed_s)}; {_times('followed', b.recovery_s)}"
        )
        lines.append(
            f"  rate change {_number(b.rate_change_per_s, 3)} /s, {b.backward_steps} steps back of up to "
            f"{_number(b.backward_worst_ms, 1)} ms; lost: missed {_number(b.lost_missed.pct, 1)} % of the time with an "
            f"error over 1 s, false {_number(b.lost_false.pct, 2)} % of the time with one up to 0.5 s"
        )
        if (c := result.tempo_changes) is not None:
            over = dict(zip(TOLERANCES_MS, c.over_pct, strict=True))
            lines.append(
                f"  at {c.beats} beats that are over a quarter longer or shorter than the one before: median "
                f"{_number(c.median_ms, 1)} ms, over 100 / 200 / 500 ms "
                f"{' / '.join(_number(over[t], 1) for t in (100, 200, 500))} %"
            )
    return "\n".join(lines)


def confidence_tables(pooled: Mapping[str, Pooled]) -> list[tuple[str, Table]]:
    """Error against coverage, and the calibration, of the systems that have a confidence: titles and tables."""
    out: list[tuple[str, Table]] = []
    for system, result in pooled.items():
        if not result.coverage:
            continue
        table = make_table(numbers=["confidence from", "covered %", "median ms", ">200 %", ">500 %", ">2000 %"])
        for c in result.coverage:
            table.add_row(
                f"{c.confidence:.2f}",
                f"{c.coverage_pct:.1f}",
                _number(c.median_ms, 1),
                *(_number(x, 2) for x in (c.over_200_pct, c.over_500_pct, c.over_2000_pct)),
            )
        out.append((f"{system}: estimates above a confidence", table))
        table = make_table(numbers=["confidence", "beats", "mean", "within"])
        for b in result.calibration:
            within = _number(b.within_share, 2)
            table.add_row(f"{b.low:.1f}-{b.high:.1f}", str(b.beats), _number(b.mean_confidence, 2), within)
        out.append((f"{system}: calibration (share of beats within 200 ms)", table))
    return out


def to_json(
    results: Results, pooled: Mapping[str, Mapping[str, Pooled]], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything in the tables as plain JSON data; what is not finite is null."""
    scenarios: dict[str, Any] = {}
    for name, systems in results.items():
        scenarios[name] = {
            system: pool([o]).to_json()
            | {"errors_s": [finite_or_none(round(float(e), 6)) for e in o.error_s], "notes": list(o.notes)}
            for system, o in systems.items()
        }
    return {
        "settings": dict(settings),
        "scenarios": scenarios,
        "pooled": {group: {s: p.to_json() for s, p in by_system.items()} for group, by_system in pooled.items()},
    }


def _number(value: float | None, digits: int) -> str:
    if value is None or math.isnan(value):
        return "-"
    return "inf" if math.isinf(value) else f"{value:.{digits}f}"


def _times(what: str, seconds: Sequence[float]) -> str:
    """How often something happened, and after how long (median)."""
    found = [s for s in seconds if math.isfinite(s)]
    after = f" after {np.median(found):.2f} s" if found else ""
    return f"{what} {len(found)}/{len(seconds)}{after}"


def _figures(result: Pooled) -> list[str]:
    s, b = result.summary, result.behaviour
    figures = [str(s.beats), _number(s.median_ms, 1), _number(s.bias_ms, 1), *(_number(x, 2) for x in s.over_pct)]
    if b is None:
        return [*figures, *5 * ["-"]]
    rate_error = _number(b.rate_error_pct, 1)
    return [*figures, _number(b.lock_s, 1), str(b.jumps), str(b.false_jumps), rate_error, str(b.backward_steps)]
