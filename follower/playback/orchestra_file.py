"""The orchestra recording that belongs to a prepared piece: found, checked, loaded, and shared between sessions."""

from __future__ import annotations

import hashlib
import threading
import weakref
from pathlib import Path

from follower.errors import InputError
from follower.piece.piece import Piece
from follower.playback.recording import OrchestraRecording, load_orchestra

DURATION_TOLERANCE_S = 0.5


def load_orchestra_of(piece: Piece, path: Path | None, given: bool) -> OrchestraRecording:
    """Load what is to be played and check that it is what the piece is about.

    Args:
        piece: the prepared piece.
        path: the recording; None is where it was when the piece was prepared.
        given: whether a person chose it: then another master or format of the same recording will do.

    Raises:
        InputError: it is not there, or is another recording.
    """
    prepared = piece.orchestra_file
    path = Path(prepared.path) if path is None else path
    if not path.is_file():
        raise InputError(f"the orchestra recording {path} is not there; say where it is now with --orchestra FILE")
    if not given:
        with path.open("rb") as f:
            if hashlib.file_digest(f, "sha256").hexdigest() != prepared.sha256:
                raise InputError(
                    f"{path} has changed since the cache was made; make the cache again, or give the recording with "
                    "--orchestra FILE"
                )
    recording = load_orchestra(path)
    if abs(recording.duration_s - prepared.duration_s) > DURATION_TOLERANCE_S:
        raise InputError(
            f"{path} lasts {recording.duration_s:.1f} s, the recording the cache was made from "
            f"{prepared.duration_s:.1f} s; give the same recording"
        )
    return recording


class RecordingShelf:
    """Recordings that are being played, so that sessions of one piece hold one copy. Thread-safe."""

    def __init__(self) -> None:
        self._shelved: weakref.WeakValueDictionary[tuple[str, int], OrchestraRecording] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()

    def load(self, piece: Piece, path: Path | None, sample_rate_hz: int) -> OrchestraRecording:
        """Return the piece's recording at a rate; errors as `load_orchestra_of`."""
        key = (piece.orchestra_file.sha256, sample_rate_hz)
        with self._lock:
            found = self._shelved.get(key)
            if found is None:
                found = load_orchestra_of(piece, path, given=False)
                if found.sample_rate_hz != sample_rate_hz:
                    found = found.resampled(sample_rate_hz)
                self._shelved[key] = found
            return found
