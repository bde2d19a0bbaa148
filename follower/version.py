"""Which version of this project is running."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Final

DISTRIBUTION: Final = "concerto-follower"


@cache
def program_version() -> str:
    """Return the installed version, such as "0.2.0"."""
    return version(DISTRIBUTION)
