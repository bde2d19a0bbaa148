"""Where a library's caches are: a folder, or anything fsspec has an address for (s3://bucket/prefix and others)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Final

from follower.errors import CacheError, InputError, MissingDependencyError, OutputError
from follower.piece.manifest import MANIFEST, Manifest, read_manifest
from offline_prep.audio import file_sha256
from offline_prep.build import BuildResult, build_cache, differences
from offline_prep.compute import Inputs
from offline_prep.settings import USUAL

MARK: Final = "://"
"""What is in an address and in no folder's name."""


def store_piece(library: str, name: str, inputs: Inputs, force: bool) -> BuildResult:
    """Prepare a piece into a library, or leave it there when nothing changed.

    Args:
        library: folder, or address for fsspec.
        name: of the piece: a folder in the library.
        inputs: its recordings.
        force: prepare even when nothing changed.

    Raises:
        FollowerError: as `build_cache`; the library cannot be reached.
    """
    if MARK not in library:
        return build_cache(inputs, Path(library) / name, USUAL, force=force)
    return _store_remotely(library, name, inputs, force)


def check_library(library: str) -> None:
    """Find out before the work that a library cannot be written.

    Raises:
        InputError: it is a file, or an address of an unknown kind.
        MissingDependencyError: fsspec, or what it needs for this kind of address, is not installed.
        OutputError: it cannot be reached.
    """
    if MARK not in library:
        if Path(library).exists() and not Path(library).is_dir():
            raise InputError(f"{library} is a file; give a folder, or an address like s3://bucket/pieces")
        if (Path(library) / MANIFEST).is_file():
            raise InputError(f"{library} is a cache itself; give the folder of the library it is in")
        return
    files, root = _files(library)
    try:
        files.exists(root)
    except Exception as e:  # every kind of store has errors of its own
        raise OutputError(f"cannot reach {library}: {_words(e)}") from e


def _store_remotely(library: str, name: str, inputs: Inputs, force: bool) -> BuildResult:
    files, root = _files(library)
    place = f"{root.rstrip('/')}/{name}"
    shown = Path(f"{library.rstrip('/')}/{name}")
    outdated = None
    try:
        if not force and files.exists(f"{place}/{MANIFEST}"):
            outdated, manifest = _why_outdated(files, place, inputs)
            if outdated is None and manifest is not None:
                return BuildResult(shown, True, manifest, tuple(manifest.alignment.get("warnings", ())))
        with tempfile.TemporaryDirectory(prefix="offline-prep-") as scratch:
            made = build_cache(inputs, Path(scratch) / name, USUAL)
            # The manifest goes first and comes last: whoever finds it finds a whole cache.
            if files.exists(f"{place}/{MANIFEST}"):
                files.rm_file(f"{place}/{MANIFEST}")
            for file in sorted(made.path.iterdir(), key=lambda file: file.name == MANIFEST):
                files.pipe_file(f"{place}/{file.name}", file.read_bytes())
        return BuildResult(shown, False, made.manifest, made.warnings, outdated)
    except OSError as e:
        raise OutputError(f"cannot write {shown}: {_words(e)}; it is tried again by the same command") from e


def _why_outdated(files: Any, place: str, inputs: Inputs) -> tuple[str | None, Manifest | None]:
    """Why a stored cache is not what would be made now, by its manifest and by which files are beside it."""
    with tempfile.TemporaryDirectory(prefix="offline-prep-") as scratch:
        content = files.cat_file(f"{place}/{MANIFEST}")
        (Path(scratch) / MANIFEST).write_bytes(content)
        try:
            manifest = read_manifest(Path(scratch))
        except CacheError as e:
            return str(e), None
    digests = {role: file_sha256(path) for role, path in inputs.by_role().items()}
    found = differences(manifest, USUAL, digests)
    if found:
        return f"it was made differently: {found[0]}", None
    listed = set(json.loads(content)["files"])
    there = {Path(file).name for file in files.ls(place, detail=False)}
    missing = sorted(listed - there)
    return (f"it lacks {', '.join(missing)}", None) if missing else (None, manifest)


def _files(library: str) -> tuple[Any, str]:
    try:
        import fsspec

        files, root = fsspec.core.url_to_fs(library, skip_instance_cache=True, use_listings_cache=False)
    except ImportError as e:
        raise MissingDependencyError(f"{library} needs {e}; pip install 'concerto-follower[s3]'") from e
    except ValueError as e:
        raise InputError(f"{library}: {e}; give a folder, or an address fsspec knows") from e
    except TypeError:  # a kind of store without listings
        files, root = fsspec.core.url_to_fs(library)
    return files, str(root)


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
