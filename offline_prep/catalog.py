"""A catalogue: a table of pieces and their recordings, CSV with a header."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from follower.errors import InputError
from offline_prep.compute import Inputs

NEEDED: Final = ("name", "orchestra", "mix")
OPTIONAL: Final = ("mix_piano", "mix_orchestra")
NAME: Final = re.compile(r"[^\W_.][^/\\:*?\"<>|\x00-\x1f\x7f]{0,99}")
"""What can be a folder's or an object's name everywhere."""
MAX_BYTES: Final = 1 << 26
"""Of a catalogue: a quarter of a million pieces."""


@dataclass(frozen=True)
class CatalogEntry:
    """One piece to be prepared.

    Attributes:
        name: of the piece, and of its cache in the library.
        inputs: its recordings.
    """

    name: str
    inputs: Inputs


def read_catalog(path: Path) -> list[CatalogEntry]:
    """Read a catalogue: columns name, orchestra, mix, and if wanted mix_piano, mix_orchestra.

    Recordings are paths, relative ones from the catalogue's folder. They need not exist: that is found out one by one.

    Raises:
        InputError: it cannot be read, lacks a column, or a row lacks a field or has a name that cannot be one; the
            message names the line.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} is larger than {MAX_BYTES >> 20} MB; a catalogue is a table, cut it")
        with path.open(newline="", encoding="utf-8-sig") as f:
            reader = csv.DictReader(f, strict=True)
            _check_columns(path, reader.fieldnames)
            entries = [_entry(path, reader.line_num, row) for row in reader if any(row.values())]
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise InputError(f"cannot read the catalogue {path}: {getattr(e, 'strerror', None) or e}") from e
    if not entries:
        raise InputError(f"{path} has no pieces; give a row for each: {', '.join(NEEDED)}")
    seen: set[str] = set()
    for entry in entries:
        if entry.name.casefold() in seen:
            raise InputError(f"{path} names {entry.name!r} twice; every piece needs a name of its own")
        seen.add(entry.name.casefold())
    return entries


def _check_columns(path: Path, found: object) -> None:
    columns = list(found) if isinstance(found, list | tuple) else []
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise InputError(f"{path} lacks the columns {', '.join(missing)}; its first line must name them")
    unknown = [str(name)[:40] for name in columns if name not in (*NEEDED, *OPTIONAL)]
    if unknown:
        raise InputError(
            f"{path} has unknown columns {', '.join(unknown)}; there are {', '.join((*NEEDED, *OPTIONAL))}"
        )


def _entry(path: Path, line: int, row: dict[str | None, str | list[str] | None]) -> CatalogEntry:
    if None in row:
        raise InputError(f"{path}, line {line}: more fields than columns; quote what has a comma in it")
    fields = {key: (value or "").strip() for key, value in row.items() if isinstance(value, str) and key is not None}
    for needed in NEEDED:
        if not fields.get(needed):
            raise InputError(f"{path}, line {line}: no {needed}; give {', '.join(NEEDED)} in every row")
    name = fields["name"]
    if NAME.fullmatch(name) is None or not name.isprintable() or name.endswith((".", " ")):
        raise InputError(
            f"{path}, line {line}: {name[:60]!r} cannot be a piece's name; use letters, digits, spaces, - _"
        )
    if any("\x00" in value for value in fields.values()):
        raise InputError(f"{path}, line {line}: a NUL character; write the catalogue as text")
    at = {key: path.parent / value for key, value in fields.items() if value and key != "name"}
    return CatalogEntry(name, Inputs(at["orchestra"], at["mix"], at.get("mix_piano"), at.get("mix_orchestra")))
