"""Prepared pieces on disk whose orchestra can be played, for the tests of the practice room."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from follower.config import PrepConfig
from follower.piece.manifest import InputFile
from follower.piece.mix_map import MixMap
from follower.piece.piece import Piece, StreamFeatures
from follower.piece.writing import write_piece
from follower.signal.features import FeatureStream
from follower.testing import SOUND_RATE_HZ, assemble_piece, make_sound


def piece_of(mix: NDArray[np.float32]) -> Piece:
    """A piece with this full mix, a piano in all of it, and an orchestra recording that lasts as long."""
    config = PrepConfig()
    found = FeatureStream(config.features, SOUND_RATE_HZ).extract(mix)
    features = StreamFeatures(found.pitch, found.mfcc, found.rms)
    ends_s = [0.0, len(found) * config.features.hop_s]
    return assemble_piece(MixMap(ends_s, ends_s, [1.0, 1.0]), mix=features, orchestra=features)


def put_piece(
    folder: Path,
    name: str,
    seconds: float = 20.0,
    orchestra: NDArray[np.float32] | None = None,
    mix: NDArray[np.float32] | None = None,
) -> Piece:
    """Write a piece whose full mix is `make_sound(seconds)` unless given; its orchestra recording is that too.

    A given orchestra recording has no sound among the piano's notes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    played = make_sound(seconds) if mix is None else mix
    sound = played if orchestra is None else orchestra
    recording = folder / f".{name}.o.wav"
    soundfile.write(recording, sound, SOUND_RATE_HZ, "PCM_16")
    digest = hashlib.sha256(recording.read_bytes()).hexdigest()
    file = InputFile(str(recording), digest, len(sound) / SOUND_RATE_HZ, SOUND_RATE_HZ)
    made = piece_of(played)
    if orchestra is not None:
        silent = replace(made.orchestra, pitch=0 * made.orchestra.pitch, rms=0 * made.orchestra.rms)
        made = replace(made, orchestra=silent)
    manifest = replace(made.manifest, inputs={**made.manifest.inputs, "orchestra": file})
    piece = replace(made, path=folder / name, manifest=manifest)
    write_piece(piece)
    return piece
