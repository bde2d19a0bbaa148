"""The pieces of one folder, by name: what there is, renaming and removing, and bringing new ones in.

A name from outside is only ever compared with the names found, or made a folder's name by `piece_name`; it is never
followed out of the folder.
"""

from __future__ import annotations

import contextlib
import datetime
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from follower.errors import CacheError, CacheMissingError, CacheVersionError, FollowerError, InputError, OutputError
from follower.files.find import AUDIO_ENDINGS
from follower.library.incoming import MAX_BYTES, Incoming, clear
from follower.library.jobs import PrepJobs
from follower.library.names import piece_name
from follower.piece.manifest import MANIFEST, Manifest, read_manifest
from follower.practice.companion import companion_of, kept_recording
from follower.protocol.codec import RefusedError
from follower.protocol.room_messages import LibraryMessage, PieceEntry


def trouble_with(error: FollowerError) -> str:
    """What is wrong with a cache, without the paths that the error names."""
    match error:
        case CacheVersionError():
            return "was made by another version of the program; it must be built again"
        case CacheMissingError():
            return "is not complete; it must be built again"
        case _:
            return "is damaged; it must be built again"


class Library:
    """The pieces directly inside one folder. Thread-safe; everything here may wait for the disk.

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
        self._lock = threading.RLock()
        self._uploads: dict[str, Path] = {}
        self._described: dict[str, tuple[int, PieceEntry]] = {}
        self._listeners: list[Callable[[], None]] = []
        self.jobs = PrepJobs(self._changed)

    # What there is.

    def _found(self) -> dict[str, Path]:
        return {
            path.name: path
            for path in sorted(self._root.iterdir())
            if not path.name.startswith(".") and (path / MANIFEST).is_file() and path.resolve().parent == self._root
        }

    def names(self) -> list[str]:
        """Names of the pieces, sorted."""
        return list(self._found())

    def message(self) -> LibraryMessage:
        """Return all there is."""
        pieces = [self._describe(name, path) for name, path in self._found().items()]
        files = [
            path.name
            for path in sorted(self._root.iterdir())
            if path.suffix.lower() in AUDIO_ENDINGS
            and not path.name.startswith(".")
            and path.resolve().parent == self._root
            and path.is_file()
        ]
        return LibraryMessage(pieces, self.jobs.entries(), files, list(AUDIO_ENDINGS), MAX_BYTES)

    def _describe(self, name: str, path: Path) -> PieceEntry:
        """Read a manifest, once for every version of the file."""
        changed_ns = (path / MANIFEST).stat().st_mtime_ns
        with self._lock:
            known = self._described.get(name)
            if known is not None and known[0] == changed_ns:
                return known[1]
        date = datetime.datetime.fromtimestamp(changed_ns / 1e9).isoformat(timespec="minutes")
        try:
            manifest = read_manifest(path)
        except CacheError as e:
            entry = PieceEntry(name, None, "", 0.0, 0, date, self._again(path, None), trouble_with(e))
        else:
            found = manifest.alignment
            entry = PieceEntry(
                name,
                manifest.orchestra.duration_s,
                str(found.get("fit", "")),
                min(max(float(found.get("confidence", 0.0)), 0.0), 1.0),
                max(len(found.get("matched_s", ())) - 1, 0),
                date,
                self._again(path, manifest),
                "",
            )
        with self._lock:
            self._described[name] = (changed_ns, entry)
        return entry

    def _again(self, path: Path, manifest: Manifest | None) -> bool:
        return all(self._recording(path, manifest, role) is not None for role in ("orchestra", "mix"))

    @staticmethod
    def _recording(path: Path, manifest: Manifest | None, role: str) -> Path | None:
        kept = kept_recording(path, role)
        if kept is not None:
            return kept
        if manifest is None or role not in manifest.inputs:
            return None
        named = Path(manifest.inputs[role].path)
        return named if named.is_file() else None

    # What comes in and goes.

    def receive(self, file: str, size_bytes: int) -> Incoming:
        """Begin to receive a recording.

        Raises:
            InputError: a kind of file that is not read, or too long.
            OutputError: there is no room.
        """
        return Incoming(self._root, file, size_bytes)

    def received(self, incoming: Incoming) -> str:
        """Keep a recording that has come; return the name to call it by."""
        with self._lock:
            self._uploads[incoming.path.name] = incoming.path
        return incoming.path.name

    def forget_upload(self, name: str) -> None:
        """Remove a recording that was received and never used."""
        with self._lock:
            path = self._uploads.pop(name, None)
        if path is not None:
            path.unlink(missing_ok=True)

    def prepare(self, piece: str, orchestra: str | None, mix: str | None, mix_orchestra: str | None) -> None:
        """Begin to prepare a new piece, or one that is there again.

        Raises:
            RefusedError: no such recordings, the name is taken, or the piece is being prepared.
            InputError: a name that cannot be one.
            OutputError: the recordings cannot be kept.
        """
        name = piece_name(piece)
        out = self._root / name
        if self.jobs.busy(name):
            raise RefusedError("taken", f"{name} is being prepared; cancel that first")
        if orchestra is None and mix is None:
            self._prepare_again(name, out)
            return
        if orchestra is None or mix is None:
            raise RefusedError("invalid", "two recordings are needed: the orchestra alone, and piano with orchestra")
        if orchestra == mix:
            raise RefusedError("invalid", "both recordings are the same file")
        if out.exists() or name.casefold() in {n.casefold() for n in self.names()}:
            raise RefusedError("taken", f"there is a piece called {name} already; choose another name")
        roles = {"orchestra": orchestra, "mix": mix, "mix_orchestra": mix_orchestra}
        paths = {role: self._file(file) for role, file in roles.items() if file is not None}
        kept = self._keep(out, paths)
        self.jobs.add(name, kept["orchestra"], kept["mix"], out, kept.get("mix_orchestra"))

    def _prepare_again(self, name: str, out: Path) -> None:
        manifest = None
        if name in self._found():
            with contextlib.suppress(CacheError):
                manifest = read_manifest(out)
        orchestra, mix, stem = (self._recording(out, manifest, r) for r in ("orchestra", "mix", "mix_orchestra"))
        if orchestra is None or mix is None:
            raise RefusedError(
                "unknown_file", f"the recordings of {name[:60]!r} are not there any more; bring them again"
            )
        self.jobs.add(name, orchestra, mix, out, stem)

    def _file(self, name: str) -> Path:
        """A recording that was received, or lies in the folder."""
        with self._lock:
            path = self._uploads.get(name)
        if path is not None:
            return path
        if name in self.message().files:
            return self._root / name
        raise RefusedError("unknown_file", f"no recording {name[:60]!r} in the library; bring it first")

    def _keep(self, out: Path, paths: dict[str, Path]) -> dict[str, Path]:
        """Move received recordings beside the piece; what lies in the folder stays where it is."""
        folder = companion_of(out)
        kept = dict(paths)
        try:
            for role, path in paths.items():
                if path.name in self._uploads:
                    folder.mkdir(exist_ok=True)
                    kept[role] = path.replace(folder / f"{role}{path.suffix}")
                    with self._lock:
                        self._uploads.pop(path.name, None)
        except OSError as e:
            raise OutputError(f"the recordings cannot be kept: {e.strerror or e}") from e
        return kept

    def cancel(self, piece: str) -> None:
        """Give a preparation up; what was brought for a piece that never came to be is removed.

        Raises:
            RefusedError: nothing of that name is being prepared.
        """
        if not self.jobs.cancel(piece):
            raise RefusedError("unknown_cache", f"no piece {piece[:60]!r} is being prepared")
        out = self._root / piece_name(piece)
        if not out.exists():
            shutil.rmtree(companion_of(out), ignore_errors=True)
        self._changed()

    def rename(self, piece: str, to: str) -> None:
        """Give a piece another name, with all that is kept beside it.

        Raises:
            RefusedError: no such piece, the name is taken, or the piece is being prepared.
            InputError: a name that cannot be one.
            OutputError: it cannot be renamed.
        """
        path = self._existing(piece)
        name = piece_name(to)
        target = self._root / name
        others = {n.casefold() for n in self.names() if n != piece}
        if name != piece and (name.casefold() in others or (target.exists() and not target.samefile(path))):
            raise RefusedError("taken", f"there is a piece called {name} already; choose another name")
        try:
            if companion_of(path).is_dir():
                companion_of(path).rename(companion_of(target))
            path.rename(target)
        except OSError as e:
            raise OutputError(f"{piece} cannot be renamed: {e.strerror or e}") from e
        self._changed()

    def delete(self, piece: str) -> None:
        """Remove a piece and all that is kept beside it.

        Raises:
            RefusedError: no such piece, or it is being prepared.
            OutputError: it cannot be removed.
        """
        path = self._existing(piece)
        try:
            shutil.rmtree(path)
            if companion_of(path).is_dir():
                shutil.rmtree(companion_of(path))
        except OSError as e:
            raise OutputError(f"{piece} cannot be removed: {e.strerror or e}") from e
        self._changed()

    def _existing(self, piece: str) -> Path:
        found = self._found()
        if piece not in found:
            raise RefusedError("unknown_cache", f"no piece {piece[:60]!r} in the library")
        if self.jobs.busy(piece):
            raise RefusedError("taken", f"{piece} is being prepared; cancel that first")
        return found[piece]

    # Who wants to know.

    def add_listener(self, on_change: Callable[[], None]) -> None:
        """Call after every change; from any thread."""
        with self._lock:
            self._listeners.append(on_change)

    def remove_listener(self, on_change: Callable[[], None]) -> None:
        """Call no more."""
        with self._lock:
            self._listeners = [listener for listener in self._listeners if listener != on_change]

    def _changed(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for on_change in listeners:
            on_change()

    def open(self) -> None:
        """The server begins: remove what an earlier one left half received."""
        clear(self._root)

    def close(self) -> None:
        """The server ends: give preparations up."""
        self.jobs.close()
