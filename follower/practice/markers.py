"""The markers of a piece: rehearsal letters and names at positions of the orchestra recording, in a file beside it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path

from follower.errors import InputError, OutputError
from follower.files.whole_file import WholeFile

MAX_MARKERS = 500
HEADER = ["name", "orchestra_time_s"]


class Markers:
    """Read from a file when made, and written at every change.

    Args:
        path: CSV file with a row per marker; it need not exist yet.
        duration_s: length of the orchestra recording.

    Raises:
        InputError: the file is there and holds something else.
    """

    def __init__(self, path: Path, duration_s: float) -> None:
        self._path = path
        self._duration_s = duration_s
        self._at_s = read_markers(path) if path.is_file() else {}

    def items(self) -> tuple[tuple[str, float], ...]:
        """(name, position in s) in the order of their positions."""
        return tuple(sorted(self._at_s.items(), key=lambda item: (item[1], item[0])))

    def at_s(self, name: str) -> float:
        """Position of a marker.

        Raises:
            InputError: there is none of that name.
        """
        if name not in self._at_s:
            names = ", ".join(n for n, _ in self.items()) or "none yet"
            raise InputError(f"no marker {name[:60]!r}; there are: {names[:200]}")
        return self._at_s[name]

    def set(self, name: str, at_s: float) -> None:
        """Set a marker; one of that name moves.

        Raises:
            InputError: outside the recording, a name without letters, or too many.
            OutputError: the file cannot be written.
        """
        name = " ".join(name.split())
        if not name or not name.isprintable():
            raise InputError("a marker needs a name that can be read")
        if not 0.0 <= at_s <= self._duration_s:
            raise InputError(f"{at_s:.1f} s is outside the orchestra recording, which ends at {self._duration_s:.1f} s")
        if len(self._at_s) >= MAX_MARKERS and name not in self._at_s:
            raise InputError(f"there are {MAX_MARKERS} markers, the most there can be; remove one first")
        self._write({**self._at_s, name: at_s})

    def remove(self, name: str) -> None:
        """Remove a marker.

        Raises:
            InputError: there is none of that name.
            OutputError: the file cannot be written.
        """
        self.at_s(name)
        self._write({n: at_s for n, at_s in self._at_s.items() if n != name})

    def _write(self, at_s: Mapping[str, float]) -> None:
        write_text(self._path, csv_text(sorted(at_s.items(), key=lambda item: (item[1], item[0]))))
        self._at_s = dict(at_s)


def read_markers(path: Path) -> dict[str, float]:
    """Read a file of markers: position (s) by name.

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
        found = {name: float(at_s) for name, at_s in rows[1:]}
        if rows[:1] != [HEADER] or not all(math.isfinite(t) and t >= 0 for t in found.values()):
            raise ValueError
    except (OSError, ValueError, csv.Error) as e:
        raise InputError(f"{path} holds no markers; it begins with {','.join(HEADER)}, then a line for each") from e
    return found


def csv_text(markers: list[tuple[str, float]] | tuple[tuple[str, float], ...]) -> str:
    r"""Return markers as CSV.

    Example:
        >>> csv_text([("A", 12.5)])
        'name,orchestra_time_s\nA,12.500\n'
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows([name, f"{at_s:.3f}"] for name, at_s in markers)
    return out.getvalue()


def audacity_text(markers: list[tuple[str, float]] | tuple[tuple[str, float], ...]) -> str:
    r"""Return markers as Audacity's labels: begin, end and name, with tabs between.

    Example:
        >>> audacity_text([("A", 12.5)])
        '12.500000\t12.500000\tA\n'
    """
    return "".join(f"{at_s:.6f}\t{at_s:.6f}\t{name}\n" for name, at_s in markers)


def write_text(path: Path, text: str) -> None:
    """Write a small file as a whole, with its folder.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with WholeFile(path) as file:
            file.part.write_text(text, encoding="utf-8")
            file.complete()
    except OSError as e:
        raise OutputError(f"cannot write {path}: {e.strerror or e}; make room, or choose another place") from e
