"""Where to go on after a session that was cut off, from the positions it had written."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from follower.errors import InputError
from follower.events import State
from follower.files.csv_positions import HEADER
from follower.session.extrapolation import MOVING

MAX_AWAY_S = 30.0
"""The orchestra is taken to have gone on for so long at most while nobody followed."""


def resumed_place_s(path: Path, now_s: float) -> float:
    """Where the orchestra recording stands now, as far as a file of positions says.

    The last position is carried on, at its rate, over the time since the file was last written; in a state in which
    the orchestra waits it stays.

    Args:
        path: what `--positions` wrote, whole or cut off anywhere.
        now_s: seconds since the epoch, the clock of the file's time stamp.

    Raises:
        InputError: there is no such file, or no known position in it.
    """
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as f:
            rows = list(csv.reader(f))
        away_s = min(max(now_s - path.stat().st_mtime, 0.0), MAX_AWAY_S)
    except (OSError, csv.Error) as e:
        why = getattr(e, "strerror", None) or e
        raise InputError(f"cannot read the positions in {path}: {why}; give the file that --positions wrote") from e
    for row in reversed(rows):
        position = _known(row)
        if position is not None:
            place_s, rate, state = position
            return place_s + (rate * away_s if state in MOVING else 0.0)
    raise InputError(f"{path} holds no known position; start with --start TIME, or without")


def _known(row: list[str]) -> tuple[float, float, State] | None:
    """Place, rate and state of a row; None where it is cut off or the place is not known."""
    values = dict(zip(HEADER, row, strict=False))
    try:
        found = float(values["orchestra_time_s"]), float(values["rate"]), State(values["state"])
    except (KeyError, ValueError):
        return None
    return found if all(math.isfinite(x) and x >= 0 for x in found[:2]) else None
