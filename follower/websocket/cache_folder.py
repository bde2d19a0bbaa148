"""The caches directly inside one folder, by name."""

from __future__ import annotations

import threading
import weakref
from pathlib import Path

from follower.errors import InputError
from follower.piece.manifest import MANIFEST
from follower.piece.piece import Piece
from follower.piece.reading import load_piece
from follower.protocol.codec import RefusedError


class CacheFolder:
    """The caches directly inside one folder, by name.

    A client's name is only ever compared with the names found there: it is never made part of a path. A link that
    leads out of the folder is not listed.

    Args:
        root: the folder.

    Raises:
        InputError: there is no such folder, or it is a cache itself.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise InputError(f"{root} is not a folder; give the folder that holds the caches with --caches")
        if (root / MANIFEST).is_file():
            raise InputError(f"{root} is a cache itself; give the folder it is in: --caches {root.resolve().parent}")
        self._root = root.resolve()
        self._loaded: weakref.WeakValueDictionary[str, Piece] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()

    def _found(self) -> dict[str, Path]:
        return {
            path.name: path
            for path in sorted(self._root.iterdir())
            if not path.name.startswith(".") and (path / MANIFEST).is_file() and path.resolve().parent == self._root
        }

    def names(self) -> list[str]:
        """Names of the caches, sorted."""
        return list(self._found())

    def load(self, name: str | None) -> Piece:
        """Load a cache; sessions with the same one share it.

        Args:
            name: of the cache; None where there is only one.

        Raises:
            RefusedError: no such cache, or a name is needed.
            CacheError: the cache is damaged.
        """
        found = self._found()
        if name is None and len(found) == 1:
            name = next(iter(found))
        if name is None or name not in found:
            choice = f"choose one of: {', '.join(found)}" if found else "this server has none"
            asked = "no cache named" if name is None else f"no cache {name[:60]!r}"
            raise RefusedError("unknown_cache", f"{asked}; {choice}")
        with self._lock:
            # A piece may have been prepared again, or renamed to this name, while sessions hold the one before.
            version = f"{name}/{(found[name] / MANIFEST).stat().st_mtime_ns}"
            piece = self._loaded.get(version)
            if piece is None:
                piece = load_piece(found[name])
                self._loaded[version] = piece
            return piece
