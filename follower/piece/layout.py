"""Which file of a cache folder holds which part of a piece, and how parts and files turn into each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from follower.piece.gmm import DiagonalGmm
from follower.piece.manifest import Manifest
from follower.piece.mix_map import MixMap
from follower.piece.piece import Mix, NotebookFeatures, Orchestra, Piece, PieceGmms

ARRAYS: Final = (
    "o_chroma",
    "o_mfcc",
    "o_stream_pitch",
    "o_stream_rms",
    "po_chroma",
    "po_mfcc",
    "po_stream_pitch",
    "po_stream_mfcc",
    "po_stream_rms",
    "po_piano_activity",
    "o_po_align",
    "map_confidence",
)
"""Every cache has these as NAME.npy. `o_po_align` is float64 (2, K), seconds: orchestra, full mix."""
STEM_ARRAY: Final = "piano_stem_stream_pitch"
"""A cache made with a piano stem has this too."""
GMMS: Final = ("gmm_o", "gmm_mix_orchestra", "gmm_mix_piano")
"""Every cache has these as NAME.npz, each with weights, means and covariances."""


def arrays_of(piece: Piece) -> dict[str, NDArray[Any]]:
    """Return the arrays of a piece by file name without ending."""
    arrays: dict[str, NDArray[Any]] = {
        "o_chroma": piece.orchestra.notebook.chroma,
        "o_mfcc": piece.orchestra.notebook.mfcc,
        "o_stream_pitch": piece.orchestra.pitch,
        "o_stream_rms": piece.orchestra.rms,
        "po_chroma": piece.mix.notebook.chroma,
        "po_mfcc": piece.mix.notebook.mfcc,
        "po_stream_pitch": piece.mix.pitch,
        "po_stream_mfcc": piece.mix.mfcc,
        "po_stream_rms": piece.mix.rms,
        "po_piano_activity": piece.piano_activity,
        "o_po_align": np.stack([piece.map.orchestra_s, piece.map.mix_s]),
        "map_confidence": piece.map.confidence,
    }
    if piece.mix_piano is not None:
        arrays[STEM_ARRAY] = piece.mix_piano
    return arrays


def gmms_of(piece: Piece) -> dict[str, DiagonalGmm]:
    """Return the mixtures of a piece by file name without ending."""
    gmms = (piece.gmm.notebook_orchestra, piece.gmm.orchestra, piece.gmm.piano)
    return dict(zip(GMMS, gmms, strict=True))


def assemble(
    path: Path, manifest: Manifest, arrays: Mapping[str, NDArray[Any]], gmms: Mapping[str, DiagonalGmm]
) -> Piece:
    """Build a piece of what a folder's files hold; the opposite of `arrays_of` and `gmms_of`.

    Raises:
        KeyError: an array or a mixture is missing.
        IndexError: `o_po_align` has fewer than two rows.
        InputError: the map is no map.
    """
    o_po = arrays["o_po_align"]
    return Piece(
        path,
        manifest,
        Orchestra(
            arrays["o_stream_pitch"],
            arrays["o_stream_rms"],
            NotebookFeatures(arrays["o_chroma"], arrays["o_mfcc"]),
        ),
        Mix(
            arrays["po_stream_pitch"],
            arrays["po_stream_mfcc"],
            arrays["po_stream_rms"],
            NotebookFeatures(arrays["po_chroma"], arrays["po_mfcc"]),
        ),
        MixMap(o_po[0], o_po[1], arrays["map_confidence"]),
        arrays["po_piano_activity"],
        PieceGmms(*(gmms[name] for name in GMMS)),
        arrays.get(STEM_ARRAY),
    )
