"""Finding out, before the work, that its results could not be written after it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from follower.errors import OutputError


def check_file(path: Path | None) -> None:
    """Try whether a file can be written, and leave everything as it was.

    Args:
        path: the file, there already or not; None is nothing to check.

    Raises:
        OutputError: it cannot.
    """
    if path is None:
        return
    folder = path.resolve().parent
    if not folder.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {folder}; make it first")
    try:
        if not path.exists():
            path.open("xb").close()
            path.unlink()
        elif path.is_file():
            path.open("ab").close()
        elif path.is_dir() or not os.access(path, os.W_OK):  # a device or a pipe is not opened: that may wait
            raise OutputError(f"cannot write {path}: it is no file you may write; choose another")
    except OSError as e:
        raise OutputError(f"cannot write {path}: {e.strerror or e}; choose a file you may write") from e


def check_folder(path: Path | None) -> None:
    """Try whether files can be written into a folder, or into the nearest one there is where it is yet to be made.

    Raises:
        OutputError: they cannot.
    """
    if path is None:
        return
    whole = path.resolve()
    nearest = next(p for p in (whole, *whole.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as e:
        why = e.strerror if nearest.is_dir() else "it is no folder"
        raise OutputError(f"cannot write into {nearest}: {why}; choose a folder you may write for {path}") from e


def check_picture(path: Path | None) -> None:
    """Try whether a picture can be written, and drawn in the format that its ending names.

    Raises:
        OutputError: it cannot.
    """
    if path is None:
        return
    from matplotlib.backend_bases import FigureCanvasBase

    if path.suffix.lower().removeprefix(".") not in FigureCanvasBase.get_supported_filetypes():
        raise OutputError(f"cannot draw {path}: its ending names no format; give a file ending in .png, .pdf or .svg")
    check_file(path)
