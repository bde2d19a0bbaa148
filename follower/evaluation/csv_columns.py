"""Columns of CSV files with a header."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.errors import ScenarioError

LARGEST: Final = 1e9
"""No recording has so many seconds, or bars; arithmetic with larger numbers could overflow."""


def read_columns(path: Path, names: tuple[str, ...]) -> list[NDArray[np.float64]]:
    """Columns of numbers; an empty or absent field is NaN.

    Raises:
        ScenarioError: the file is missing, or a field is not a number, or none that a recording can have.
    """
    rows = _rows(path)
    try:
        columns = [np.array([float(row.get(name) or "nan") for row in rows], dtype=np.float64) for name in names]
    except ValueError as e:
        raise ScenarioError(f"{path} is not a table of numbers with the columns {', '.join(names)}: {e}") from e
    for name, column in zip(names, columns, strict=True):
        if (np.abs(column) > LARGEST).any():
            raise ScenarioError(
                f"{path} has {column[np.abs(column) > LARGEST][0]:g} in the column {name}; give seconds"
            )
    return columns


def read_words(path: Path, name: str) -> NDArray[np.str_]:
    """A column of text; an empty or absent field is empty.

    Raises:
        ScenarioError: the file is missing, or no table.
    """
    return np.array([row.get(name) or "" for row in _rows(path)], np.str_)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as f:
            return list(csv.DictReader(f))
    except (OSError, UnicodeDecodeError) as e:
        raise ScenarioError(f"cannot read {path}: {getattr(e, 'strerror', None) or e}") from e
    except csv.Error as e:
        raise ScenarioError(f"{path} is not a table: {e}") from e
