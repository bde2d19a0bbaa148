"""A prepared piece, typed: what the engine, the evaluation and the plots read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.config import FeatureConfig
from follower.piece.gmm import DiagonalGmm
from follower.piece.manifest import InputFile, Manifest
from follower.piece.mix_map import MixMap


@dataclass(frozen=True, eq=False)
class NotebookFeatures:
    """The research notebook's features of a recording at 22050 Hz; frames are centred as librosa centres them.

    Attributes:
        chroma: float32, shape (12, n), one column per hop.
        mfcc: float32, shape (20, n).
    """

    chroma: NDArray[np.float32]
    mfcc: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class StreamFeatures:
    """Causal features of a recording, as the live engine computes them of its stream.

    Attributes:
        pitch: float32, shape (n, 88), amplitude of each semitone, one row per hop.
        mfcc: float32, shape (n, 13).
        rms: float32, shape (n,), level.
    """

    pitch: NDArray[np.float32]
    mfcc: NDArray[np.float32]
    rms: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Orchestra:
    """The orchestra recording.

    Attributes:
        pitch: float32, shape (m, 88), amplitude of each semitone, one row per hop of the causal features.
        rms: float32, shape (m,), level at the same instants.
        notebook: the baseline's features of the same recording.
    """

    pitch: NDArray[np.float32]
    rms: NDArray[np.float32]
    notebook: NotebookFeatures


@dataclass(frozen=True, eq=False)
class Mix:
    """The full mix, piano and orchestra.

    Attributes:
        pitch: float32, shape (n, 88), amplitude of each semitone, one row per hop of the causal features.
        mfcc: float32, shape (n, 13), at the same instants.
        rms: float32, shape (n,), level at the same instants.
        notebook: the baseline's features of the same recording.
    """

    pitch: NDArray[np.float32]
    mfcc: NDArray[np.float32]
    rms: NDArray[np.float32]
    notebook: NotebookFeatures


@dataclass(frozen=True, eq=False)
class PieceGmms:
    """Gaussian mixtures of MFCC 1..12.

    Attributes:
        notebook_orchestra: mixture of the orchestra recording's notebook MFCC, 10 components, for the baseline.
        orchestra: mixture of the orchestra as it sounds in the full mix.
        piano: mixture of the piano as it sounds in the full mix.
    """

    notebook_orchestra: DiagonalGmm
    orchestra: DiagonalGmm
    piano: DiagonalGmm


@dataclass(frozen=True, eq=False)
class Piece:
    """Everything prep made of a piece. All arrays of a loaded piece are read-only.

    Attributes:
        path: folder of the cache.
        manifest: what the cache was made from, and with which settings.
        orchestra: features of the orchestra recording.
        mix: features of the full mix.
        map: monotone map between mix time and orchestra time.
        piano_activity: float32, shape (n,), 0..1, how surely the piano sounds in each frame of the mix.
        gmm: Gaussian mixtures of the orchestra and of the piano.
        mix_piano: float32, shape (n, 88), amplitude of each semitone in the mix's piano stem; None without one.
    """

    path: Path
    manifest: Manifest
    orchestra: Orchestra
    mix: Mix
    map: MixMap
    piano_activity: NDArray[np.float32]
    gmm: PieceGmms
    mix_piano: NDArray[np.float32] | None = None

    @property
    def name(self) -> str:
        """Name of the piece: that of its cache's folder."""
        return self.path.absolute().name

    @property
    def feature_config(self) -> FeatureConfig:
        """Configuration the live features must be computed with."""
        return self.manifest.config.features

    @property
    def orchestra_file(self) -> InputFile:
        """The file of what is played: the orchestra recording, or without one the orchestra of the mix."""
        file = self.manifest.orchestra
        return file if "orchestra" in self.manifest.inputs else replace(file, path=str(self.path / file.path))

    @property
    def mix_file(self) -> InputFile:
        """The full mix's file."""
        return self.manifest.inputs["mix"]

    @property
    def orchestra_duration_s(self) -> float:
        """Length of the orchestra recording (s)."""
        return self.orchestra_file.duration_s

    @property
    def mix_duration_s(self) -> float:
        """Length of the full mix (s)."""
        return self.mix_file.duration_s
