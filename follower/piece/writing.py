"""Write a cache folder, whole or not at all. Plain .npy/.npz and JSON, never pickle."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from follower.errors import OutputError
from follower.piece.checking import check_arrays
from follower.piece.layout import arrays_of, gmms_of
from follower.piece.manifest import MANIFEST, SEPARATED, encode_manifest
from follower.piece.piece import Piece


def write_piece(piece: Piece, separated: Mapping[str, BinaryIO] | None = None) -> None:
    """Write a piece to its folder at once: a temporary folder beside it is filled, then renamed.

    Args:
        piece: the piece.
        separated: open files with the parts of the mix, by role, where the piece's manifest names them.

    Raises:
        CacheCorruptError: the parts of the piece do not fit each other (the caller's fault).
        OutputError: the folder cannot be written; nothing is left behind.
    """
    arrays = arrays_of(piece)
    check_arrays(arrays, piece.feature_config)
    contents = {f"{n}.npy": _npy_bytes(a) for n, a in arrays.items()} | {
        f"{n}.npz": _npz_bytes({"weights": g.weights, "means": g.means, "covariances": g.covariances})
        for n, g in gmms_of(piece).items()
    }
    files = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())}
    files |= {f.path: f.sha256 for f in piece.manifest.separated.values()}
    with _replacing_folder(piece.path) as folder:
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        for role, file in (separated or {}).items():
            file.seek(0)
            with (folder / SEPARATED[role]).open("wb") as copy:
                shutil.copyfileobj(file, copy)
        (folder / MANIFEST).write_bytes(encode_manifest(piece.manifest, files))


def _npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Encode arrays as npz without time stamps, so that equal content gives equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
        for name in sorted(arrays):
            z.writestr(zipfile.ZipInfo(f"{name}.npy"), _npy_bytes(arrays[name]))
    return out.getvalue()


def _npy_bytes(array: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, np.ascontiguousarray(array), allow_pickle=False)
    return out.getvalue()


@contextlib.contextmanager
def _replacing_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder that takes the place of `path` on success and vanishes on failure."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as e:
        raise OutputError(f"cannot write the cache {path}: {e.strerror or e}; choose a folder you may write to") from e
    old = temporary.with_name(temporary.name + ".old")
    lock = _lock(temporary)
    try:
        yield temporary
        os.chmod(temporary, 0o755)  # noqa: PTH101  (mkdtemp makes it private)
        if path.exists():
            path.rename(old)
        temporary.rename(path)
    except OSError as e:
        if old.exists() and not path.exists():
            old.rename(path)
        raise OutputError(f"cannot write the cache {path}: {e.strerror or e}") from e
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
        if lock is not None:
            os.close(lock)
        _remove_leftovers(path)


def _lock(folder: Path) -> int | None:
    """Lock a folder for as long as this process lives; returns the descriptor, None where it is locked already."""
    if sys.platform == "win32":  # where what a killed program left stays
        return None
    import fcntl

    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary folders of writers of this cache that were killed; living ones hold a lock on theirs."""
    ours = re.compile(re.escape(f".{path.name}.") + r"[a-z0-9_]{8}(\.old)?")
    for found in path.parent.iterdir():
        if ours.fullmatch(found.name) is None:
            continue
        filled = found.with_name(found.name.removesuffix(".old"))
        lock = _lock(filled)
        if lock is None and filled.exists():
            continue
        shutil.rmtree(found, ignore_errors=True)
        if lock is not None:
            os.close(lock)
