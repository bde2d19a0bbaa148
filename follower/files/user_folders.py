"""Folders of the person who runs the program, where the system wants them."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def user_cache_folder() -> Path:
    """Where copies are kept that can be made again, e.g. ~/.cache/concerto-follower on Linux ($XDG_CACHE_HOME)."""
    return Path(platformdirs.user_cache_dir("concerto-follower", appauthor=False))
