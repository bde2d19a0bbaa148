"""Annotated beats: CSV with a header, what Sonic Visualiser exports, or Audacity's labels. docs/scenario-format.md."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.errors import ScenarioError
from follower.evaluation.csv_columns import LARGEST

MEASURE_DIGITS: Final = 4
"""Measures are rounded to so many digits, so that equal ones compare equal."""
TIME_HEADINGS: Final = ("start", "time", "onset")
"""What the column of seconds may be called in a file that has a header, in any case."""
MEASURE_HEADINGS: Final = ("measure", "label", "value")
"""And the column of measures, the first of these that holds a number."""


@dataclass(frozen=True)
class Beats:
    """Where the beats of a recording are.

    Attributes:
        start_s: seconds, increasing, shape (n,).
        measure: bar number with fraction, or any number that is the same at the same place in every recording; NaN
            where the file has none. Shape (n,).
    """

    start_s: NDArray[np.float64]
    measure: NDArray[np.float64]


def read_beats(path: Path) -> Beats:
    """Read annotated beats.

    Raises:
        ScenarioError: the file cannot be read, has no beats, or they are not in order; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        raise ScenarioError(f"cannot read {path}: {getattr(e, 'strerror', None) or e}") from e
    # Audacity continues the line of a spectral selection with one that begins with a backslash.
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("\\")]
    rows = [(n, _fields(path, n, line)) for n, line in lines]
    heading: list[str] | None = None
    if rows and not math.isfinite(_number(rows[0][1][0])):
        named = [name.strip().lower() for name in rows[0][1]]
        if set(named) & set(TIME_HEADINGS):
            heading, rows = named, rows[1:]
    found = [_beat(path, n, row, heading) for n, row in rows]
    if not found:
        raise ScenarioError(f"{path} has no beats; annotate two or more")
    start, measure = np.array(found, np.float64).T
    if (backward := np.flatnonzero(np.diff(start) <= 0)).size:
        n = rows[int(backward[0]) + 1][0]
        raise ScenarioError(f"line {n} of {path} is not later than the line before; beats need increasing seconds")
    return Beats(start, np.round(measure, MEASURE_DIGITS))


def measured_beats(path: Path) -> Beats:
    """Read beats of which every one has a measure.

    Raises:
        ScenarioError: as `read_beats`, or a beat has no measure.
    """
    beats = read_beats(path)
    if (missing := np.flatnonzero(~np.isfinite(beats.measure))).size:
        raise ScenarioError(
            f"the beat at {beats.start_s[missing[0]]:g} s in {path} has no measure; number the beats (the label in "
            "Sonic Visualiser or Audacity), the same way in every recording"
        )
    return beats


def _fields(path: Path, n: int, line: str) -> list[str]:
    """Fields of a line: time and measure in the first and the last, a value between them where there is one."""
    if "\t" in line:
        fields = line.split("\t")
        # Audacity: begin, end, label. The end is no measure.
        return [fields[0], *fields[2:]] if len(fields) == 3 else fields
    try:
        return next(csv.reader([line], skipinitialspace=True))
    except csv.Error as e:
        raise ScenarioError(f"line {n} of {path} cannot be read: {e}") from e


def _beat(path: Path, n: int, row: list[str], heading: list[str] | None) -> tuple[float, float]:
    """Seconds and measure of one line; without a measure NaN."""
    if heading is not None:
        by_name = dict(zip(heading, row, strict=False))
        time = next(by_name.get(name, "") for name in TIME_HEADINGS if name in heading)
        candidates = [by_name.get(name, "") for name in MEASURE_HEADINGS]
    else:
        time, candidates = row[0], row[:0:-1]
    seconds = _number(time)
    if not math.isfinite(seconds):
        raise ScenarioError(f"{path} is not a table of numbers: line {n} has {time!r} where its seconds should be")
    return seconds, next((x for x in map(_number, candidates) if math.isfinite(x)), math.nan)


def _number(text: str) -> float:
    """The number a field holds, with a decimal comma too; NaN where it holds none, or none that a beat can have."""
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        return math.nan
    return number if abs(number) <= LARGEST else math.nan
