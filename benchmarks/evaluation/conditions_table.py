#!/usr/bin/env python3
"""A table with a line per condition from what `follower evaluate` measured on the folders of conditions.py.

    follower evaluate DIR/* --system live:tempo --system naive --system notebook --out RESULTS --json F.json
    python -m benchmarks.evaluation.conditions_table F.json --scenarios DIR/* --results RESULTS
        [--system live:tempo] [--record]

Markdown. Accuracy, lock, jumps and what follows pauses and jumps of the pianist are those of `follower evaluate`; of
the other systems in the file the median and the share over 500 ms stand beside. A fraction counts the occasions met in
time: *noticed* (state lost, or a jump of its own) within 3 s and *recovered* within 4 s after a jump of the pianist,
*paused* said within 1.5 s of the last note, *resumed* (state following, within half a second of the truth) at most
0.5 s after the next note, *re-entry* likewise at most 1.5 s after
a rest. *rest* is the share of the time in the piano's rests, their first 1.5 s left out, that is called `orchestra`.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.evaluation.conditions import CONDITIONS, rests
from benchmarks.report import markdown
from benchmarks.results import add_option, record
from follower.errors import FollowerError, ScenarioError
from follower.evaluation.beat_errors import summarise
from follower.evaluation.csv_columns import read_columns
from follower.events import State
from follower.files.find import find_audio

LIMITS_S = {"noticed_s": 3.0, "recovery_s": 4.0, "paused_s": 1.5, "resumed_s": 0.5, "reentry_s": 1.5}
REST_SETTLES_S = 1.5
WITHIN_S = 0.5


@dataclass
class Row:
    """What one condition's scenarios add up to; times are None where a thing never happened."""

    errors_s: dict[str, list[float]] = field(default_factory=dict)
    lock_s: list[float] = field(default_factory=list)
    jumps: int = 0
    false_jumps: int = 0
    occasions: dict[str, list[float | None]] = field(default_factory=lambda: {name: [] for name in LIMITS_S})
    rest_s: float = 0.0
    rest_called_s: float = 0.0


def rest_states(folder: Path, positions: Path) -> tuple[float, float, list[float | None]]:
    """Seconds of rest that count, seconds of them called `orchestra`, and seconds to each re-entry's lock."""
    truth = np.array(read_columns(folder / "truth.csv", ("p", "o", "po", "measure", "both")))
    samples, rate_hz = soundfile.read(find_audio(folder, "p"))
    at_s, position_s = read_columns(positions, ("audio_time_s", "orchestra_time_s"))
    with positions.open(newline="", encoding="utf-8") as file:
        state = np.array([row["state"] for row in csv.DictReader(file)])
    off_s = np.abs(position_s - np.interp(at_s, truth[0], truth[1]))
    good = (state == State.FOLLOWING.value) & (off_s <= WITHIN_S)
    total = called = 0.0
    reentries: list[float | None] = []
    for begin, end in rests(truth, samples, rate_hz):
        inside = (at_s >= begin + REST_SETTLES_S) & (at_s < end)
        if inside.any():
            total += end - begin - REST_SETTLES_S
            called += (end - begin - REST_SETTLES_S) * float(np.mean(state[inside] == State.ORCHESTRA.value))
        if end < truth[0, -1]:
            later = at_s[(at_s >= end) & good]
            reentries.append(float(later[0] - end) if len(later) else None)
    return total, called, reentries


def gather(evaluation: dict[str, Any], folders: Sequence[Path], results: Path, system: str) -> dict[str, Row]:
    """Condition -> row, in the order of conditions.py.

    Raises:
        ScenarioError: a folder was not evaluated, or not by this system.
    """
    rows: dict[str, Row] = {}
    for folder in folders:
        measured = evaluation["scenarios"].get(folder.name, {})
        if system not in measured:
            raise ScenarioError(f"{folder.name} was not evaluated with {system}; evaluate all folders with it first")
        row = rows.setdefault(folder.name.rpartition("--")[2], Row())
        for name, outcome in measured.items():
            row.errors_s.setdefault(name, []).extend(math.inf if e is None else e for e in outcome["errors_s"])
        behaviour = measured[system]["behaviour"]
        row.lock_s.append(math.inf if behaviour["lock_s"] is None else behaviour["lock_s"])
        row.jumps += behaviour["jumps"]
        row.false_jumps += behaviour["false_jumps"]
        for name in ("noticed_s", "recovery_s", "paused_s", "resumed_s"):
            row.occasions[name] += behaviour[name]
        total, called, reentries = rest_states(
            folder, results / folder.name / system.replace(":", "-") / "positions.csv"
        )
        row.rest_s += total
        row.rest_called_s += called
        row.occasions["reentry_s"] += reentries
    known = list(CONDITIONS)
    return dict(sorted(rows.items(), key=lambda item: known.index(item[0]) if item[0] in known else len(known)))


def in_time(times_s: Sequence[float | None], limit_s: float) -> str:
    """How many were met in time, and the median of those that happened."""
    if not times_s:
        return ""
    happened = [t for t in times_s if t is not None]
    median = f", {np.median(happened):.1f} s" if happened else ""
    return f"{sum(t <= limit_s for t in happened)}/{len(times_s)}{median}"


def line(name: str, row: Row, system: str, others: Sequence[str]) -> list[str]:
    """The cells of one line of the table."""
    figures = summarise(np.array(row.errors_s[system]))
    over = [f"{figures.over_pct[k]:.1f}" for k in (1, 2, 3, 5)]
    cells = [
        name, str(figures.beats), f"{figures.median_ms:.0f}", *over, f"{np.median(row.lock_s):.1f}",
        f"{row.jumps} / {row.false_jumps}", *(in_time(row.occasions[k], limit) for k, limit in LIMITS_S.items()),
        f"{100 * row.rest_called_s / row.rest_s:.0f}" if row.rest_s else "",
    ]  # fmt: skip
    for other in others:
        beside = summarise(np.array(row.errors_s[other])) if other in row.errors_s else None
        cells.append("" if beside is None else f"{beside.median_ms:.0f} \\| {beside.over_pct[3]:.0f}")
    return cells


def cells_by_head(rows: dict[str, Row], system: str) -> list[dict[str, str]]:
    """All lines: cell by column."""
    others = list(dict.fromkeys(name for row in rows.values() for name in row.errors_s if name != system))
    head = ["condition", "beats", "median ms", ">100 %", ">200 %", ">500 %", ">2000 %", "lock s", "jumps / false",
            "noticed", "recovered", "paused", "resumed", "re-entry", "rest %"]  # fmt: skip
    head += [f"{other}: median ms \\| >500 %" for other in others]
    return [dict(zip(head, line(name, row, system, others), strict=True)) for name, row in rows.items()]


def table(rows: Sequence[dict[str, str]]) -> str:
    """The lines in Markdown, with a head."""
    return markdown(list(rows[0]), (row.values() for row in rows))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evaluation", type=Path, metavar="F.json")
    parser.add_argument("--scenarios", type=Path, nargs="+", required=True, metavar="PATH")
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="--out of `follower evaluate`")
    parser.add_argument("--system", default="live:tempo")
    add_option(parser)
    args = parser.parse_args()
    try:
        evaluation = json.loads(args.evaluation.read_text(encoding="utf-8"))
        rows = cells_by_head(gather(evaluation, args.scenarios, args.results, args.system), args.system)
        print(table(rows))
        if args.record:
            record("conditions", rows)
    except FollowerError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
