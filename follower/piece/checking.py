"""Do the parts of a piece fit each other and the configuration they were made with?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from follower.config import FeatureConfig
from follower.errors import CacheCorruptError
from follower.piece.layout import STEM_ARRAY


def check_arrays(arrays: Mapping[str, NDArray[Any]], features: FeatureConfig) -> None:
    """Check the arrays of a cache by file name, see `follower.piece.layout.ARRAYS`; all of them must be there.

    Raises:
        CacheCorruptError: an array's shape does not fit the others or the configuration, or it is not of floats.
    """
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            raise CacheCorruptError(f"{name} holds {array.dtype}, not floats")
    for role in ("o", "po"):
        rms = arrays[f"{role}_stream_rms"]
        _expect(arrays, f"{role}_stream_rms", (rms.size,))
        _expect(arrays, f"{role}_stream_pitch", (len(rms), features.n_semitones))
        _expect(arrays, f"{role}_stream_mfcc", (len(rms), features.n_mfcc))
    for role in ("o", "po"):
        chroma = arrays[f"{role}_chroma"]
        _expect(arrays, f"{role}_chroma", (12, chroma.size // 12))
        _expect(arrays, f"{role}_mfcc", (20, chroma.size // 12))
    knots = arrays["map_confidence"].size
    _expect(arrays, "map_confidence", (knots,))
    _expect(arrays, "o_po_align", (2, knots))
    _expect(arrays, "po_piano_activity", (len(arrays["po_stream_rms"]),))
    _expect(arrays, STEM_ARRAY, arrays["po_stream_pitch"].shape)


def _expect(arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...]) -> None:
    """Raise unless the array, where there is one, has this shape."""
    found = arrays[name].shape if name in arrays else shape
    if found != shape:
        raise CacheCorruptError(f"{name} has shape {found}, expected {shape}")
