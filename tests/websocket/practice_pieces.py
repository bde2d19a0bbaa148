"""Prepared pieces on disk whose orchestra can be played, for the tests of the practice room."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from follower.piece.manifest import InputFile
from follower.piece.piece import Piece
from follower.piece.writing import write_piece
from follower.testing import SOUND_RATE_HZ, make_piece, make_sound


def put_piece(folder: Path, name: str, seconds: float = 20.0, orchestra: NDArray[np.float32] | None = None) -> Piece:
    """Write a piece whose full mix is `make_sound(seconds)`; its orchestra recording is that too unless given.

    A given one has no sound among the piano's notes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sound = make_sound(seconds) if orchestra is None else orchestra
    recording = folder / f".{name}.o.wav"
    soundfile.write(recording, sound, SOUND_RATE_HZ, "PCM_16")
    digest = hashlib.sha256(recording.read_bytes()).hexdigest()
    file = InputFile(str(recording), digest, len(sound) / SOUND_RATE_HZ, SOUND_RATE_HZ)
    made = make_piece(seconds)
    if orchestra is not None:
        silent = replace(made.orchestra, pitch=0 * made.orchestra.pitch, rms=0 * made.orchestra.rms)
        made = replace(made, orchestra=silent)
    manifest = replace(made.manifest, inputs={**made.manifest.inputs, "orchestra": file})
    piece = replace(made, path=folder / name, manifest=manifest)
    write_piece(piece)
    return piece
