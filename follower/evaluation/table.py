"""Results of many scenarios: pooled, as text, as JSON."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.beat_errors import TOLERANCES_MS, Summary, summarise
from follower.evaluation.behaviour import Behaviour, pool_behaviour
from follower.evaluation.calibration import CalibrationBin, CoverageRow, calibration, coverage
from follower.evaluation.json_numbers import finite_or_none
from follower.evaluation.systems.outcome import Outcome

ALL = "all"


@dataclass(frozen=True)
class Pooled:
    """Results of one system over one or more scenarios; the errors of all their beats count alike.

    Attributes:
        scenarios: how many.
        error_s: signed errors of all beats.
        summary: their figures.
        behaviour: pooled; None for systems without one.
        coverage: error against coverage; empty without confidences.
        calibration: share within 200 ms per bin of confidence; empty without confidences.
        compute_s: seconds of all scenarios.
    """

    scenarios: int
    error_s: NDArray[np.float64]
    summary: Summary
    behaviour: Behaviour | None
    coverage: tuple[CoverageRow, ...]
    calibration: tuple[CalibrationBin, ...]
    compute_s: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data."""
        out: dict[str, Any] = {"scenarios": self.scenarios, **self.summary.to_json(), "compute_s": self.compute_s}
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
    parts = [o.behaviour for o in outcomes if o.behaviour is not None]
    return Pooled(
        len(outcomes),
        error,
        summarise(error),
        pool_behaviour(parts) if parts else None,
        tuple(coverage(error, confidence)) if with_confidence else (),
        tuple(calibration(error, confidence)) if with_confidence else (),
        sum(o.compute_s for o in outcomes),
    )


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


def text_table(results: Results, pooled: Mapping[str, Mapping[str, Pooled]]) -> str:
    """The table `follower evaluate` prints: a line per scenario and system, then the pools."""
    width = max(len("scenario"), *(len(n) for n in [*results, *pooled])) + 2
    system_width = max((len(s) for systems in results.values() for s in systems), default=6) + 2
    head = f"{'scenario':<{width}}{'system':<{system_width}}{'beats':>6}{'median':>8}{'bias':>7}"
    head += "".join(f"{f'>{t}':>7}" for t in TOLERANCES_MS)
    head += f"{'lock':>7}{'jumps':>7}{'false':>7}{'rate':>7}{'back':>6}"
    units = f"{'':<{width}}{'':<{system_width}}{'':>6}{'ms':>8}{'ms':>7}" + f"{'%':>7}" * len(TOLERANCES_MS)
    units += f"{'s':>7}{'':>7}{'':>7}{'%':>7}{'':>6}"
    lines = [head, units]
    for name, systems in results.items():
        lines += [_line(name, s, pool([outcome]), width, system_width) for s, outcome in systems.items()]
    lines.append("-" * len(head))
    for group, by_system in pooled.items():
        lines += [_line(group, s, p, width, system_width) for s, p in by_system.items()]
    notes = [
        f"note: {name}, {system}: {note}"
        for name, systems in results.items()
        for system, outcome in systems.items()
        for note in outcome.notes
    ]
    return "\n".join(lines + notes)


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
    return "\n".join(lines)


def confidence_table(pooled: Mapping[str, Pooled]) -> str:
    """Error against coverage and the calibration of the systems that have a confidence; empty when none has."""
    lines: list[str] = []
    for system, result in pooled.items():
        if not result.coverage:
            continue
        lines.append(f"{system}: estimates above a confidence")
        lines.append(f"  {'at least':>8}{'covered %':>11}{'median ms':>11}{'>200 %':>8}{'>500 %':>8}{'>2000 %':>9}")
        lines += [
            f"  {c.confidence:>8.2f}{c.coverage_pct:>11.1f}{_number(c.median_ms, 1):>11}{_number(c.over_200_pct, 2):>8}"
            f"{_number(c.over_500_pct, 2):>8}{_number(c.over_2000_pct, 2):>9}"
            for c in result.coverage
        ]
        lines.append(f"{system}: calibration (share of beats within 200 ms)")
        lines.append(f"  {'confidence':>12}{'beats':>8}{'mean':>8}{'within':>8}")
        lines += [
            f"  {b.low:>6.1f}-{b.high:<5.1f}{b.beats:>8}"
            f"{_number(b.mean_confidence, 2):>8}{_number(b.within_share, 2):>8}"
            for b in result.calibration
        ]
    return "\n".join(lines)


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


def _line(name: str, system: str, result: Pooled, width: int, system_width: int) -> str:
    s, b = result.summary, result.behaviour
    line = f"{name:<{width}}{system:<{system_width}}{s.beats:>6}{_number(s.median_ms, 1):>8}{_number(s.bias_ms, 1):>7}"
    line += "".join(f"{_number(x, 2):>7}" for x in s.over_pct)
    if b is None:
        return line + f"{'-':>7}{'-':>7}{'-':>7}{'-':>7}{'-':>6}"
    return line + (
        f"{_number(b.lock_s, 1):>7}{b.jumps:>7}{b.false_jumps:>7}{_number(b.rate_error_pct, 1):>7}{b.backward_steps:>6}"
    )
