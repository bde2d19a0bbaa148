"""Prepared pieces without recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.config import PrepConfig
from follower.piece.gmm import DiagonalGmm
from follower.piece.manifest import InputFile, Manifest
from follower.piece.mix_map import MixMap
from follower.piece.piece import Mix, NotebookFeatures, Orchestra, Piece, PieceGmms, StreamFeatures


def flat_gmm(mean: float = 0.0, variance: float = 1.0) -> DiagonalGmm:
    """Return a mixture of one component on MFCC 1..12 with the same mean and variance in every dimension."""
    return DiagonalGmm([1.0], np.full((1, 12), mean), np.full((1, 12), variance))


def make_piece(
    mix_map: MixMap,
    *,
    mix: StreamFeatures | None = None,
    orchestra: StreamFeatures | None = None,
    piano_activity: NDArray[np.float32] | None = None,
    gmm: PieceGmms | None = None,
    config: PrepConfig | None = None,
    sample_rate_hz: int = 22050,
    path: Path = Path("piece"),
) -> Piece:
    """Return a piece without preparing recordings; what is not given is silence.

    Args:
        mix_map: map between the full mix and the orchestra recording; the recordings end where it ends.
        mix: features of the full mix.
        orchestra: features of the orchestra recording.
        piano_activity: shape (n,), 0..1, per frame of the mix; None: the piano plays throughout.
        gmm: mixtures; None: one component each, the orchestra's mean at 5, the piano's at -5.
        config: of the features; None is the default.
        sample_rate_hz: of the recordings' files.
        path: folder the piece says it is from.

    Example:
        >>> piece = make_piece(MixMap([0.0, 5.0], [0.0, 10.0], [1.0, 1.0]))
        >>> piece.map.to_orchestra(4.0), piece.mix_duration_s, len(piece.mix.rms)
        (2.0, 10.0, 430)
    """
    config = config or PrepConfig()
    orchestra_s, mix_s = float(mix_map.orchestra_s[-1]), float(mix_map.mix_s[-1])
    mix = mix or _silence(mix_s, config)
    orchestra = orchestra or _silence(orchestra_s, config)
    if piano_activity is None:
        piano_activity = np.ones(len(mix.rms), np.float32)
    inputs = {
        "orchestra": InputFile("o.wav", "0" * 64, orchestra_s, sample_rate_hz),
        "mix": InputFile("po.wav", "1" * 64, mix_s, sample_rate_hz),
    }
    return Piece(
        path,
        Manifest("test", config, inputs, {"warnings": []}),
        Orchestra(orchestra.pitch, orchestra.rms, _notebook_silence(len(orchestra.rms))),
        Mix(mix.pitch, mix.mfcc, mix.rms, _notebook_silence(len(mix.rms))),
        mix_map,
        piano_activity,
        gmm or PieceGmms(flat_gmm(5.0, 100.0), flat_gmm(5.0, 100.0), flat_gmm(-5.0, 100.0)),
    )


def _silence(seconds: float, config: PrepConfig) -> StreamFeatures:
    n, features = int(seconds / config.features.hop_s), config.features
    return StreamFeatures(
        np.zeros((n, features.n_semitones), np.float32),
        np.zeros((n, features.n_mfcc), np.float32),
        np.zeros(n, np.float32),
    )


def _notebook_silence(n: int) -> NotebookFeatures:
    return NotebookFeatures(np.zeros((12, n), np.float32), np.zeros((20, n), np.float32))
