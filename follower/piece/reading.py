"""Load a cache folder and verify it."""

from __future__ import annotations

import hashlib
import io
import struct
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from follower.errors import CacheCorruptError, CacheMissingError, InputError
from follower.piece.checking import check_arrays
from follower.piece.gmm import DiagonalGmm
from follower.piece.layout import ARRAYS, GMMS, STEM_ARRAY, assemble
from follower.piece.manifest import MANIFEST, SEPARATED, read_manifest_and_files
from follower.piece.piece import Piece

DAMAGE: Final = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OverflowError, MemoryError, SyntaxError,
    RuntimeError, OSError, struct.error, zipfile.BadZipFile, zlib.error, tokenize.TokenError, InputError, Warning,
)  # fmt: skip
"""What numpy's reader and our own checks raise for files that are not what they should be."""


def load_piece(path: Path | str) -> Piece:
    """Load a cache and verify every file's checksum.

    Arrays are views of the files, so processes that follow one piece share them. The files must stay as they are; what
    prepares a piece anew writes new ones.

    Args:
        path: folder that `offline-prep` wrote.

    Raises:
        CacheMissingError: no cache at `path`, or one of its files is gone.
        CacheVersionError: another format version.
        CacheCorruptError: a changed byte, or an array of the wrong shape.

    Example:
        >>> piece = load_piece("mypiece")                                              # doctest: +SKIP
        >>> piece.mix.pitch.shape, piece.map.to_orchestra(12.5)                        # doctest: +SKIP
    """
    path = Path(path)
    manifest, files = read_manifest_and_files(path)
    remedy = f"build it again: {manifest.rebuild_command(path)}"
    required = {f"{n}.npy" for n in ARRAYS} | {f"{n}.npz" for n in GMMS}
    if manifest.separated:
        required |= set(SEPARATED.values())
    for name in files:
        if Path(name).name != name:
            raise CacheCorruptError(f"{path / MANIFEST} names {name!r}, which is outside the cache; {remedy}")
    if set(files) - {f"{STEM_ARRAY}.npy"} != required:
        raise CacheCorruptError(f"{path / MANIFEST} does not list exactly the files of a cache; {remedy}")
    arrays: dict[str, NDArray[Any]] = {}
    gmms: dict[str, DiagonalGmm] = {}
    for name, digest in files.items():
        if name in SEPARATED.values():
            _verify(path / name, digest, remedy)
            continue
        content = _verified(path / name, digest, remedy)
        stem, _, ending = name.rpartition(".")
        try:
            if ending == "npz":
                gmms[stem] = _read_gmm(content)
            else:
                arrays[stem] = _map_array(path / name, content)
        except DAMAGE as e:
            raise CacheCorruptError(f"{path / name} cannot be read ({e!r}); {remedy}") from e
    try:
        check_arrays(arrays, manifest.config.features)
        return assemble(path, manifest, arrays, gmms)
    except (CacheCorruptError, InputError) as e:
        raise CacheCorruptError(f"{path}: {e}; {remedy}") from e


def _verified(file: Path, digest: str, remedy: str) -> bytes:
    try:
        content = file.read_bytes()
    except FileNotFoundError as e:
        raise CacheMissingError(f"the cache {file.parent} lacks {file.name} ({e.strerror or e}); {remedy}") from e
    except OSError as e:
        raise CacheCorruptError(f"{file} cannot be read ({e.strerror or e}); {remedy}") from e
    if hashlib.sha256(content).hexdigest() != digest:
        raise CacheCorruptError(f"{file} has changed since it was written (checksum); {remedy}")
    return content


def _verify(file: Path, digest: str, remedy: str) -> None:
    """As `_verified`, without holding a file of many minutes in memory."""
    try:
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    except FileNotFoundError as e:
        raise CacheMissingError(f"the cache {file.parent} lacks {file.name} ({e.strerror or e}); {remedy}") from e
    except OSError as e:
        raise CacheCorruptError(f"{file} cannot be read ({e.strerror or e}); {remedy}") from e
    if found != digest:
        raise CacheCorruptError(f"{file} has changed since it was written (checksum); {remedy}")


def _map_array(file: Path, content: bytes) -> NDArray[Any]:
    array = _read_array(file, content)
    if array.size == 0:  # nothing cannot be mapped
        return array
    mapped: NDArray[Any] = np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
    return mapped


def _read_array(file: Path, content: bytes) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what numpy finds odd, we did not write
        array = np.load(io.BytesIO(content), allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise ValueError("it holds several arrays")
    array.setflags(write=False)
    return array


def _read_gmm(content: bytes) -> DiagonalGmm:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        return DiagonalGmm(loaded["weights"], loaded["means"], loaded["covariances"])
