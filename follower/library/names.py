"""Names that become names of folders: what is allowed, so that nothing leads out of the library."""

from __future__ import annotations

import re
import unicodedata

from follower.errors import InputError
from follower.practice.companion import ENDING

MAX_CHARACTERS = 100
FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.I)


def piece_name(text: str) -> str:
    """Return a piece's name as its folder is called.

    Raises:
        InputError: it cannot be the name of a folder on every system.

    Example:
        >>> piece_name("  Rachmaninoff 2,  I ")
        'Rachmaninoff 2, I'
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name or len(name) > MAX_CHARACTERS or len(name.encode()) > 200:
        raise InputError(f"a piece's name has 1 to {MAX_CHARACTERS} characters")
    if FORBIDDEN.search(name) or not name.isprintable():
        raise InputError("a piece's name may not hold any of / \\ : * ? \" < > |")
    if name.startswith(".") or name.endswith((".", ENDING)) or RESERVED.fullmatch(name):
        raise InputError(f"{name!r} cannot be the name of a piece; choose another")
    return name
