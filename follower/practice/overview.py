"""What a prepared piece looks like, on the time of the orchestra recording."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.errors import InputError
from follower.piece.piece import Piece
from follower.practice.companion import MARKERS, TAKES, companion_of
from follower.practice.markers import read_markers
from follower.protocol.room_messages import MarkerEntry, OverviewMessage, TakeEntry

STEP_S = 0.05
MAX_STEPS = 60_000
"""Of an hour at `STEP_S`; longer pieces get longer steps."""
SHAPE = 0.6
"""Power of the amplitude that is drawn: between its own shape, in which soft passages vanish, and decibels, flat."""
MAX_TAKES = 100


def overview_of(piece: Piece) -> OverviewMessage:
    """Return what a piece looks like, with its markers and recorded sessions."""
    duration_s = piece.orchestra_duration_s
    step_s = max(STEP_S, duration_s / MAX_STEPS)
    n = max(int(duration_s / step_s), 1)
    at_s = np.asarray((np.arange(n) + 0.5) * step_s, np.float64)
    hop_s = piece.feature_config.hop_s
    mix_s = piece.map.to_mix(at_s)
    folder = companion_of(piece.path)
    return OverviewMessage(
        piece.name,
        duration_s,
        step_s,
        _packed(_level(piece.orchestra.rms, hop_s, step_s, n)),
        _packed(_sampled(piece.piano_activity, hop_s, mix_s)),
        _packed(piece.map.confidence_at(mix_s)),
        [[float(hold), float(end - begin)] for begin, end, hold in piece.map.cuts],
        _markers(folder),
        takes_of(folder),
    )


def takes_of(folder: Path) -> list[TakeEntry]:
    """Return the recorded sessions in a piece's companion folder, newest first."""
    import soundfile

    found = []
    paths = sorted((folder / TAKES).glob("*.flac"), reverse=True) if (folder / TAKES).is_dir() else []
    for path in paths[:MAX_TAKES]:
        if path.name.startswith("."):
            continue
        try:
            found.append(TakeEntry(path.name, soundfile.info(path).duration, path.stat().st_size))
        except (OSError, soundfile.LibsndfileError):
            continue  # not a recording of ours, or not complete
    return found


def _markers(folder: Path) -> list[MarkerEntry]:
    path = folder / MARKERS
    try:
        found = read_markers(path) if path.is_file() else {}
    except InputError:
        return []
    return [MarkerEntry(name, at_s) for name, at_s in sorted(found.items(), key=lambda item: (item[1], item[0]))]


def _level(rms: NDArray[np.float32], hop_s: float, step_s: float, n: int) -> NDArray[np.float64]:
    """Loudest level in each step, 0..1; shape (n,)."""
    starts = np.minimum((np.arange(n) * step_s / hop_s).astype(int), len(rms) - 1)
    loudest = np.maximum.reduceat(rms, starts)
    top = float(loudest.max()) if len(loudest) else 0.0
    if top <= 0.0:
        return np.zeros(n)
    shaped: NDArray[np.float64] = (loudest / top) ** SHAPE
    return shaped


def _sampled(values: NDArray[np.float32], hop_s: float, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    frames = np.clip((at_s / hop_s).astype(int), 0, len(values) - 1)
    out: NDArray[np.float64] = values[frames].astype(np.float64)
    return out


def _packed(values: NDArray[np.float64]) -> str:
    """One byte for each value of 0..1."""
    return base64.b64encode(np.rint(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8).tobytes()).decode()
