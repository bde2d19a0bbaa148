"""Folders of the person who runs the program, where the system wants them."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def user_cache_folder() -> Path:
    """Where copies are kept that can be made again, e.g. ~/.cache/concerto-follower on Linux ($XDG_CACHE_HOME)."""
    return Path(platformdirs.user_cache_dir("concerto-follower", appauthor=False))


def user_pieces_folder() -> Path:
    """Where pieces are kept unless a folder is named, e.g. ~/.local/share/concerto-follower/pieces on Linux."""
    return Path(platformdirs.user_data_dir("concerto-follower", appauthor=False)) / "pieces"
