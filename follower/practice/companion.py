"""The folder beside a prepared piece for what a pianist keeps: recordings the piece was made from, markers, takes.

A cache is replaced as a whole when it is made anew; this folder stays.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

ENDING: Final = ".practice"
MARKERS: Final = "markers.csv"
TAKES: Final = "takes"
ROLES: Final = ("orchestra", "mix", "mix_orchestra")


def companion_of(cache: Path) -> Path:
    """Return the folder beside a cache.

    Example:
        >>> companion_of(Path("pieces/rach2")).name
        'rach2.practice'
    """
    cache = cache.absolute()
    return cache.with_name(cache.name + ENDING)


def kept_recording(cache: Path, role: str) -> Path | None:
    """Return the recording of that role kept beside a cache; None where there is none."""
    folder = companion_of(cache)
    if not folder.is_dir():
        return None
    return next((p for p in sorted(folder.iterdir()) if p.stem == role and p.suffix and p.is_file()), None)
